import { checkTree } from './check.ts';
import { applyEnvironment } from './environment.ts';
import { readConfigFile } from './file.ts';
import { resolveClientSecret } from './oidc-rules.ts';
import { ConfigError, type Problem } from './problems.ts';
import { takeRemovedKeys, translateDeprecatedKeys } from './removed.ts';
import { type Config, ConfigSchema } from './schema.ts';
import { readSecretFiles } from './secret-files.ts';
import { applySeedEnvironment } from './seed-environment.ts';
import { type Environment, type Setting, settingsOf } from './settings.ts';
import { type Tree, valueAt } from './tree.ts';
import { configWarnings } from './warnings.ts';

export interface LoadOptions {
  /** YAML file; without it the one `AUTHPLANE_CONFIG` names, without that none. */
  path?: string | undefined;
  env: Environment;
  /** Called with each of `LoadedConfig.warnings`. */
  warn?: ((warning: string) => void) | undefined;
}

export interface LoadedConfig {
  /** Deeply frozen. */
  config: Config;
  /** What an operator should know although the server may start: `configWarnings` and what the files held. */
  warnings: readonly string[];
}

/**
 * Reads the configuration: defaults, then the YAML file, then the environment, the later one winning.
 * @throws ConfigError with every problem of every layer.
 */
export function loadConfig({ path, env, warn }: LoadOptions): LoadedConfig {
  const settings = settingsOf(ConfigSchema);
  const warnings: string[] = [];
  const notice = (warning: string) => void warnings.push(warning);

  const file = path ?? (env.AUTHPLANE_CONFIG || undefined);
  const tree = file === undefined ? {} : readConfigFile(file);
  const problems = [...takeRemovedKeys(tree), ...translateDeprecatedKeys(tree, notice)];
  const environment = applyEnvironment(tree, env, settings);
  problems.push(...environment.problems, ...readSecretFiles(tree, settings));
  problems.push(...applySeedEnvironment(tree, env, notice));
  warnings.push(...reservedInUse(tree, settings));

  const { config, problems: found } = checkTree(tree, settings, env);
  problems.push(...found);
  if (config === undefined || problems.length > 0) {
    throw new ConfigError(problems.map((problem) => withSource(problem, environment.sources)));
  }
  resolveClientSecret(config, env);
  warnings.push(...configWarnings(config));
  for (const warning of warnings) warn?.(warning);
  return { config: deepFreeze(config), warnings };
}

/** One warning for all settings that were given a value nothing reads yet. */
function reservedInUse(tree: Tree, settings: readonly Setting[]): string[] {
  const set = settings.filter(({ reserved, path }) => reserved && valueAt(tree, path) !== undefined);
  return set.length === 0 ? [] : [`set, but without effect in this release: ${set.map(({ key }) => key).join(', ')}`];
}

/** Says which variable a refused value came from, because the operator may be looking at the file. */
function withSource({ key, message }: Problem, sources: ReadonlyMap<string, string>): Problem {
  const source = sources.get(key);
  return { key, message: source === undefined ? message : `${message} (from ${source})` };
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const member of Object.values(value)) deepFreeze(member);
  return Object.freeze(value);
}
