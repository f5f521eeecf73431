/** Whose turn it is to change something. */
export type Side =
  | 'configuration'
  | 'database'
  | 'keys'
  | 'encryption'
  | 'Redis'
  | 'NATS'
  | 'OpenID provider'
  | 'network'
  | 'authorization server'
  | 'MCP server';

/** What one check came to. `remedy` says what that side can do about it. */
export type Finding = {
  side: Side;
  status: 'ok' | 'warning' | 'problem';
  detail: string;
  remedy?: string;
};

export const ok = (side: Side, detail: string): Finding => ({ side, status: 'ok', detail });
export const warning = (side: Side, detail: string, remedy: string): Finding => ({
  side,
  status: 'warning',
  detail,
  remedy,
});
export const problem = (side: Side, detail: string, remedy: string): Finding => ({
  side,
  status: 'problem',
  detail,
  remedy,
});
