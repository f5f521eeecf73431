import type { z } from 'zod';
import { brokenEncryptionRules } from './encryption-rules.ts';
import { brokenOidcRules } from './oidc-rules.ts';
import type { Problem } from './problems.ts';
import { brokenProductionRules } from './production.ts';
import { brokenRules } from './rules.ts';
import { type Config, ConfigSchema } from './schema.ts';
import { type Environment, namesAt, type Setting } from './settings.ts';
import { brokenSigningRules } from './signing-rules.ts';
import { nearest } from './suggest.ts';
import { deleteAt, type Tree } from './tree.ts';

/**
 * Checks `tree` against the schema and the rules. Rules need a whole configuration, so settings that cannot be read
 * are taken out (of `tree`, too) and count as their defaults; what a rule then says about them is not reported.
 */
export function checkTree(
  tree: Tree,
  settings: readonly Setting[],
  env: Environment,
): { config?: Config; problems: Problem[] } {
  const brokenByRule = (config: Config): Problem[] => [
    ...brokenRules(config),
    ...brokenSigningRules(config),
    ...brokenEncryptionRules(config, env),
    ...brokenOidcRules(config, env),
    ...brokenProductionRules(config, settings),
  ];
  const result = ConfigSchema.safeParse(tree);
  if (result.success) return { config: result.data, problems: brokenByRule(result.data) };

  const { issues } = result.error;
  const problems = issues.flatMap((issue) => problemsOf(issue, settings));
  for (const issue of issues) prune(tree, issue);
  const rest = ConfigSchema.safeParse(tree);
  if (!rest.success) return { problems };
  const unread = issues.filter(({ code }) => code !== 'unrecognized_keys').map(({ path }) => keyOf(path));
  const isAboutUnread = ({ key }: Problem) => unread.some((part) => key === part || key.startsWith(`${part}.`));
  return { problems: [...problems, ...brokenByRule(rest.data).filter((problem) => !isAboutUnread(problem))] };
}

function prune(tree: Tree, issue: z.core.$ZodIssue): void {
  const inList = issue.path.findIndex((step) => typeof step === 'number');
  if (inList >= 0) {
    deleteAt(tree, issue.path.slice(0, inList)); // one bad entry spoils its list
  } else if (issue.code === 'unrecognized_keys') {
    for (const name of issue.keys) deleteAt(tree, [...issue.path, name]);
  } else {
    deleteAt(tree, issue.path);
  }
}

function problemsOf(issue: z.core.$ZodIssue, settings: readonly Setting[]): Problem[] {
  const key = keyOf(issue.path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((name) => ({
      key: keyOf([...issue.path, name]),
      message: unknownKey(issue.path, name, settings),
    }));
  }
  if (issue.code !== 'invalid_type') return [{ key, message: issue.message }];
  return [{ key, message: issue.expected === 'array' ? 'expected a list' : 'expected a group of settings' }];
}

/** Names the nearest key of the same group, or the setting of that name elsewhere. */
function unknownKey(path: readonly PropertyKey[], name: string, settings: readonly Setting[]): string {
  const near = nearest(name, namesAt(ConfigSchema, path) ?? []);
  const elsewhere = settings.find((setting) => setting.path.at(-1) === name)?.key;
  const meant = near === undefined ? elsewhere : keyOf([...path, near]);
  return meant === undefined ? 'unknown key' : `unknown key; did you mean ${meant}?`;
}

/** `['resources', 0, 'slug']` as `resources[0].slug`. */
function keyOf(path: readonly PropertyKey[]): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`))
    .join('')
    .replace(/^\./, '');
}
