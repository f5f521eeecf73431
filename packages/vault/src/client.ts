/**
 * Vault's HTTP API as we use it: one client for each login, logged in once, kept logged in, and gone from when it is not
 * well. A call waits for room, then for the breaker, then for a session, and all of it together has one time limit.
 *
 * Requests do not go through `@authserver/outbound`: that client asks addresses a stranger chose, so it only knows GET,
 * keeps no connection, and follows neither private names nor private authorities. This address is the operator's own.
 */
import { createLimiter, Overloaded } from '@authserver/outbound';
import { createBreaker } from './breaker.ts';
import { VaultError } from './errors.ts';
import { createSession, type VaultLogin } from './session.ts';
import { createTransport, type Method } from './transport.ts';

export type VaultOptions = {
  /** Base URL of Vault, such as `https://vault.example.com:8200`. */
  address: string;
  login: VaultLogin;
  /** Time one call may take, login included. */
  timeoutMs: number;
  /** Namespace of Vault Enterprise or OpenBao that all paths are in. */
  namespace?: string | undefined;
  /** PEM of the authorities to trust, instead of those of Node. */
  ca?: string | undefined;
  /** Told when the login could not be renewed; calls still go on with what is left of it. */
  onRenewalFailure?: ((error: VaultError) => void) | undefined;
};

/** Vault's HTTP API, logged in and kept logged in. */
export interface VaultClient {
  /**
   * @param path below `/v1/`, made by `vaultPath`, such as `transit/sign/my-key`
   * @returns the `data` member of the answer; undefined where Vault has nothing to say: 204, or 404 without an error
   * @throws {VaultError}
   */
  call(method: Method, path: string, body?: Record<string, unknown>): Promise<Record<string, unknown> | undefined>;
  /** Ends renewal and closes connections. The token is left to end by itself. */
  close(): void;
}

/** More than this many calls at once only queue inside Vault. */
const inFlight = 64;
const waiting = 2_000;

export const createVaultClient = (options: VaultOptions): VaultClient => {
  const { timeoutMs } = options;
  const transport = createTransport(options, inFlight);
  const session = createSession({ ...options, send: transport.send });
  const limiter = createLimiter({ inFlight, waiting, waitMs: timeoutMs });
  const breaker = createBreaker();

  const attempt: VaultClient['call'] = async (method, path, body) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const ask = async (token: string) => (await transport.send({ method, path, body, token, signal })).data;
    const token = await session.token(signal);
    try {
      return await ask(token);
    } catch (error) {
      if (!(error instanceof VaultError) || error.failure !== 'denied') throw error;
      const renewed = await session.replace(token, signal);
      if (renewed === undefined) throw error;
      return await ask(renewed);
    }
  };

  return {
    async call(method, path, body) {
      try {
        return await limiter.run(() => breaker.run(path, () => attempt(method, path, body)));
      } catch (error) {
        if (!(error instanceof Overloaded)) throw error;
        throw new VaultError('unavailable', `Vault: ${path}: too many calls wait already`, error);
      }
    },
    close() {
      session.close();
      transport.close();
    },
  };
};

/** A path of segments that may hold any character; a mount may be several segments, as `teams/auth/transit`. */
export const vaultPath = (...segments: string[]): string =>
  segments
    .flatMap((segment) => segment.split('/'))
    .filter((segment) => segment !== '' && segment !== '.' && segment !== '..')
    .map(encodeURIComponent)
    .join('/');
