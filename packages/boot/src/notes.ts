import { type Config, configWarnings } from '@authserver/config';

/** What deserves a word at start: judged by the registration mode in effect, and by what this process is there for. */
export const notesAtStart = (
  config: Config,
  warnings: readonly string[],
  { adminElsewhere, dcrMode }: { adminElsewhere: boolean; dcrMode: Config['dcr']['mode'] },
): string[] => {
  const asConfigured = configWarnings(config);
  const inEffect = configWarnings({
    ...config,
    dcr: { ...config.dcr, mode: dcrMode },
    admin: { ...config.admin, enabled: config.admin.enabled || adminElsewhere },
  });
  return [...warnings.filter((warning) => !asConfigured.includes(warning)), ...inEffect];
};
