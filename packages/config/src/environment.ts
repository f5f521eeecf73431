import { fileVariableOf } from './named-secret.ts';
import type { Problem } from './problems.ts';
import { removedVariable } from './removed.ts';
import { seedVariables } from './seed-environment.ts';
import { type Environment, envPrefix, type Setting } from './settings.ts';
import { nearest } from './suggest.ts';
import { deleteAt, setAt, type Tree, valueAt } from './tree.ts';

/** Variables of the product that are not settings: they tell the CLI where things are. */
const clientVariables = new Set(['AUTHPLANE_ADMIN_URL', 'AUTHPLANE_CONFIG', 'AUTHPLANE_CONTEXT']);

/** Secrets that `client_secret_ref` may point at. */
const secretReferences = 'AUTHPLANE_VAULT_';

/** Kubernetes adds these for a Service whose name starts with `authplane`; nobody wrote them. */
const serviceLink = /_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/;

/** What the environment said. */
export interface EnvironmentLayer {
  problems: Problem[];
  /** Key of each setting it gave a value to, and the variable it came from. */
  sources: Map<string, string>;
}

/**
 * Lays the environment over `tree`. A variable that is set but empty overrides, too. A secret may come as the name
 * of a file in `<ENV>_FILE`; it is put next to its setting as `<key>_file`, as in YAML.
 */
export function applyEnvironment(tree: Tree, env: Environment, settings: readonly Setting[]): EnvironmentLayer {
  const problems: Problem[] = [];
  const sources = new Map<string, string>();

  for (const setting of settings) {
    if (setting.env === undefined) continue;
    const value = env[setting.env];
    const fileVariable = `${setting.env}_FILE`;
    const file = setting.secret ? env[fileVariable] : undefined;
    if (value && file) problems.push({ key: fileVariable, message: `set either this or ${setting.env}, not both` });
    if (file) {
      deleteAt(tree, setting.path);
      setAt(tree, filePath(setting), file);
      sources.set(setting.key, fileVariable);
    } else if (value !== undefined) {
      if (setting.secret) deleteAt(tree, filePath(setting));
      setAt(tree, setting.path, value);
      sources.set(setting.key, setting.env);
    }
  }
  problems.push(...unknownVariables(tree, env, settings));
  return { problems, sources };
}

/** Where YAML names the file of a secret: `session.secret_file` beside `session.secret`. */
export function filePath(setting: Setting): string[] {
  return [...setting.path.slice(0, -1), `${setting.path.at(-1)}_file`];
}

function unknownVariables(tree: Tree, env: Environment, settings: readonly Setting[]): Problem[] {
  const known = new Set([...clientVariables, ...seedVariables]);
  for (const { env: name, secret } of settings) {
    if (name !== undefined) known.add(name);
    if (name !== undefined && secret) known.add(`${name}_FILE`);
  }
  const named = namedVariables(tree, settings);
  const isForeign = (name: string) =>
    name.startsWith(secretReferences) || serviceLink.test(name) || named.has(name) || /^tcp:\/\//.test(env[name] ?? '');

  return Object.keys(env)
    .filter((name) => name.startsWith(envPrefix) && !known.has(name) && !isForeign(name))
    .map((name) => ({ key: name, message: removedVariable(name) ?? unknownVariable(name, known) }));
}

function unknownVariable(name: string, known: Iterable<string>): string {
  const bare = [...known].map((candidate) => candidate.slice(envPrefix.length));
  const near = nearest(name.slice(envPrefix.length), bare);
  return near ? `unknown variable; did you mean ${envPrefix}${near}?` : 'unknown variable';
}

/** Variables that settings such as `data_encryption.aes_master.key_env` name as the place of a value, and those of its file. */
function namedVariables(tree: Tree, settings: readonly Setting[]): Set<string> {
  const names = settings.filter(({ kind }) => kind === 'env name').map(({ path }) => String(valueAt(tree, path)));
  return new Set(names.flatMap((name) => [name, fileVariableOf(name)]));
}
