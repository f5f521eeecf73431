import { type Operation, operations } from './subjects/subject.ts';

/** What the environment says of a run; see `docs/performance.md`. */
export const readOptions = (env: NodeJS.ProcessEnv) => ({
  operations: operations.filter((name) => listed(env.OPERATIONS, operations).includes(name)),
  /** Beside the server: `ceiling`, `oidc-provider`. */
  peers: listed(env.PEERS, ['ceiling', 'oidc-provider']),
  rounds: Number(env.ROUNDS ?? 3),
  seconds: Number(env.SECONDS ?? 5),
  /** Seconds before the first round: V8 goes on compiling for as long on a slow core. */
  warmUp: Number(env.WARM_UP ?? 10),
  connections: Number(env.CONNECTIONS ?? 64),
  /** Numbers of pods, each measured by itself. */
  pods: listed(env.PODS, ['1', '2', '4']).map(Number),
  /** Numbers of workers of one pod, each measured by itself. */
  workers: listed(env.WORKERS, ['2']).map(Number),
});
export type Options = ReturnType<typeof readOptions>;

/** A list with commas; `none` is the empty one. */
const listed = (text: string | undefined, otherwise: readonly string[]): readonly string[] =>
  text === undefined ? otherwise : text.split(',').filter((name) => name !== '' && name !== 'none');

/** What is demanded of the server: shares of the ceiling's rate, and multiples of oidc-provider's. */
export const targets: Record<Operation, { ceiling?: number; 'oidc-provider'?: number; client_credentials?: number }> = {
  client_credentials: { ceiling: 0.65, 'oidc-provider': 2 },
  refresh_token: { ceiling: 0.55, 'oidc-provider': 3.5 },
  authorization_code: { ceiling: 0.5, 'oidc-provider': 4 },
  token_exchange: { client_credentials: 0.5 },
  jwt_bearer: { client_credentials: 0.4 },
  introspection: { ceiling: 0.6, 'oidc-provider': 4 },
  metadata: { ceiling: 0.8 },
  jwks: { ceiling: 0.8 },
};
