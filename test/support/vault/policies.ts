/** Policies of Vault: which capabilities a path has. https://developer.hashicorp.com/vault/docs/concepts/policies */

export type Capability = 'create' | 'read' | 'update' | 'delete' | 'list' | 'sudo' | 'deny';
type Rule = { path: string; capabilities: readonly string[] };

/** What every token may do unless it was made without it. */
const defaultRules: readonly Rule[] = [
  { path: 'auth/token/lookup-self', capabilities: ['read'] },
  { path: 'auth/token/renew-self', capabilities: ['update'] },
  { path: 'auth/token/revoke-self', capabilities: ['update'] },
];

export const createPolicies = () => {
  const policies = new Map<string, readonly Rule[]>([['default', defaultRules]]);

  /** The most specific path decides: exact before prefix, longer before shorter. `+` is one segment. */
  const decides = (rules: readonly Rule[], path: string): Rule | undefined =>
    rules
      .filter((rule) => covers(rule.path, path))
      .sort((a, b) => Number(a.path.endsWith('*')) - Number(b.path.endsWith('*')) || b.path.length - a.path.length)[0];

  return {
    put: (name: string, text: string) => void policies.set(name, parsePolicy(text)),
    allows(names: readonly string[], path: string, capability: Capability): boolean {
      if (names.includes('root')) return true;
      const found = names.flatMap((name) => decides(policies.get(name) ?? [], path) ?? []);
      return (
        !found.some(({ capabilities }) => capabilities.includes('deny')) &&
        found.some(({ capabilities }) => capabilities.includes(capability))
      );
    },
  };
};

const covers = (pattern: string, path: string): boolean => {
  const isPrefix = pattern.endsWith('*');
  const source = pattern
    .replace(/\*$/, '')
    .replace(/[.?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('+', '[^/]+');
  return new RegExp(`^${source}${isPrefix ? '' : '$'}`).test(path);
};

/** `path "transit/sign/x" { capabilities = ["update"] }`, as often as needed. */
const parsePolicy = (text: string): Rule[] =>
  [...text.matchAll(/path\s+"([^"]+)"\s*\{\s*capabilities\s*=\s*\[([^\]]*)\]\s*\}/g)].map(
    ([, path = '', list = '']) => ({
      path,
      capabilities: [...list.matchAll(/"([a-z]+)"/g)].map(([, name = '']) => name),
    }),
  );
