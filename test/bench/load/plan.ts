import type { webcrypto } from 'node:crypto';

/** What a load generator asks for, again and again: written as JSON, so that the generator is a process of its own. */
export type Plan =
  | { kind: 'get'; path: string }
  /** A form for each connection. A refresh token in it follows the rotation. An answer without `expected` is an error. */
  | { kind: 'post'; path: string; authorization: string; forms: readonly string[]; expected?: string }
  /** A form with a new assertion of an identity provider for each request: it is good once. */
  | {
      kind: 'assertions';
      path: string;
      authorization: string;
      form: string;
      /** Its key, as a private JWK with `kid` for P-256, and the claims that are the same each time. */
      key: webcrypto.JsonWebKey & { kid: string };
      claims: Record<string, string>;
    }
  /** An authorization request by a browser that is signed in, a cookie for each connection, and the code redeemed. */
  | { kind: 'flow'; authorize: string; cookies: readonly string[]; token: string; authorization: string; form: string };

export type LoadOptions = {
  plan: Plan;
  /** Connections are dealt out to them in turn. */
  ports: readonly number[];
  connections: number;
  seconds: number;
  /** Mean pause of a connection between an answer and its next request; none unless said. */
  thinkMs?: number;
  /** Also tell every single latency. */
  latencies?: boolean;
};

export type LoadResult = {
  operations: number;
  errors: number;
  rate: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  /** With the refresh tokens that are good now. */
  plan: Plan;
  latencies?: number[];
};
