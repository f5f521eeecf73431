import { type PurgeTargetName, purgeTargetNames } from '@authserver/telemetry';
import { usageFailure } from './failure.ts';

/**
 * What `--only` selects: names separated by commas, blanks trimmed, empty ones skipped; everything without it.
 *
 * @throws {CommandFailure} usage, for a name there is not, and when nothing is left
 */
export const readPurgeTargets = (only: string | undefined): readonly PurgeTargetName[] => {
  if (only === undefined) return purgeTargetNames;
  const names = only
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const unknown = names.filter((name) => !(purgeTargetNames as readonly string[]).includes(name));
  const valid = `valid targets are ${purgeTargetNames.join(', ')}`;
  if (unknown.length > 0) throw usageFailure(`--only: there is no target ${unknown.join(', ')}; ${valid}`);
  if (names.length === 0) throw usageFailure(`--only selects nothing; ${valid}`);
  return purgeTargetNames.filter((name) => names.includes(name));
};
