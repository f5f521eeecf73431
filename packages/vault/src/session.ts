import { VaultError } from './errors.ts';
import type { Send } from './transport.ts';

/** How we log in to Vault. */
export type VaultLogin =
  | { method: 'token'; token: string }
  | { method: 'approle'; mount: string; roleId: string; secretId: string };

type Held = {
  token: string;
  renewable: boolean;
  since: number;
  /** How long it lived when it was new; undefined when for ever. */
  ttlMs: number | undefined;
  endsAt: number;
};

export type SessionOptions = {
  login: VaultLogin;
  timeoutMs: number;
  send: Send;
  onRenewalFailure?: ((error: VaultError) => void) | undefined;
};

export type Session = {
  /** A token to call with; logs in when there is none. Calls at the same moment share one login. */
  token(signal: AbortSignal): Promise<string>;
  /** A new token in the place of one that was denied; undefined when a new one would be denied as well. */
  replace(denied: string, signal: AbortSignal): Promise<string | undefined>;
  close(): void;
};

/** A token so young was denied by a policy, not because it ended: another login would not help and may be limited. */
const youngMs = 5_000;
const shortestWaitMs = 500;
/** The longest `setTimeout` can wait is 24.8 days. */
const longestWaitMs = 24 * 3_600_000;

/**
 * Holds one token of Vault. It is renewed at half its life; where that cannot be, or brings less than half of what it had at
 * first (the end of its `max_ttl` is near), an AppRole logs in anew. A configured token cannot be replaced, only renewed.
 * Nothing is given up early: what is left of a token is used, whatever became of its renewal.
 */
export const createSession = ({ login, timeoutMs, send, onRenewalFailure }: SessionOptions): Session => {
  let held: Held | undefined;
  let pending: Promise<Held> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const enter = async (): Promise<Held> => {
    const signal = AbortSignal.timeout(timeoutMs);
    if (login.method === 'token') return await lookUp(login.token, signal);
    const path = `auth/${login.mount.split('/').map(encodeURIComponent).join('/')}/login`;
    const body = { role_id: login.roleId, secret_id: login.secretId };
    const { auth } = await send({ method: 'POST', path, body, signal }).catch((error: unknown) => {
      // A wrong or used up secret id is 400, which to the caller is the same as a wrong token.
      if (error instanceof VaultError && error.failure === 'refused')
        throw new VaultError('denied', error.message, error);
      throw error;
    });
    if (typeof auth?.client_token !== 'string') throw new VaultError('denied', `Vault: ${path}: gave no token`);
    return newlyHeld(auth.client_token, auth.lease_duration, auth.renewable);
  };

  /** A token that may not even look at itself is used as it is; whether it is any good, the calls will tell. */
  const lookUp = async (token: string, signal: AbortSignal): Promise<Held> => {
    try {
      const { data } = await send({ method: 'GET', path: 'auth/token/lookup-self', token, signal });
      return newlyHeld(token, data?.ttl, data?.renewable);
    } catch (error) {
      if (error instanceof VaultError && error.failure === 'denied') return newlyHeld(token, undefined, false);
      throw error;
    }
  };

  const logIn = (): Promise<Held> => {
    pending ??= enter()
      .then((entered) => {
        held = entered;
        schedule(entered, toRenewal(entered));
        return entered;
      })
      .finally(() => {
        pending = undefined;
      });
    return pending;
  };

  /** Waits for a login no longer than this caller has time; the login goes on for the others. */
  const within = async (work: Promise<Held>, signal: AbortSignal): Promise<string> => {
    const { promise, reject } = Promise.withResolvers<never>();
    const stop = () => reject(new VaultError('unavailable', 'Vault: logging in took too long'));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.catch(() => {});
    promise.catch(() => {});
    return (await Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', stop))).token;
  };

  const schedule = (from: Held, waitMs: number): void => {
    clearTimeout(timer);
    if (closed || from.ttlMs === undefined) return;
    timer = setTimeout(() => void keep(from), Math.min(Math.max(waitMs, shortestWaitMs), longestWaitMs));
    timer.unref();
  };

  const keep = async (from: Held): Promise<void> => {
    if (held !== from || closed) return;
    if (left(from) > longestWaitMs * 2) return schedule(from, left(from) / 2);
    try {
      const renewed = from.renewable ? await renew(from) : from;
      if (held !== from) return;
      held = renewed;
      if (left(renewed) > (from.ttlMs ?? 0) / 2) return schedule(renewed, toRenewal(renewed));
      if (login.method === 'token')
        throw new VaultError('denied', 'Vault: the configured token nears its end and cannot be renewed further');
      await logIn();
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      onRenewalFailure?.(error);
      if (held !== undefined && error.failure === 'unavailable' && left(held) > 0) schedule(held, left(held) / 4);
    }
  };

  const renew = async (from: Held): Promise<Held> => {
    const signal = AbortSignal.timeout(timeoutMs);
    const path = 'auth/token/renew-self';
    const { auth } = await send({ method: 'POST', path, body: {}, token: from.token, signal });
    const { endsAt } = newlyHeld(from.token, auth?.lease_duration, auth?.renewable);
    return { ...from, renewable: auth?.renewable === true, endsAt };
  };

  const isAlive = async (token: string, signal: AbortSignal): Promise<boolean> => {
    try {
      await send({ method: 'GET', path: 'auth/token/lookup-self', token, signal });
      return true;
    } catch (error) {
      if (error instanceof VaultError && error.failure === 'denied') return false;
      throw error;
    }
  };

  return {
    async token(signal) {
      if (held !== undefined && (left(held) > 0 || login.method === 'token')) return held.token;
      return await within(logIn(), signal);
    },
    async replace(denied, signal) {
      if (held !== undefined && held.token !== denied) return held.token; // somebody else did already
      if (login.method === 'token') return undefined;
      if (held !== undefined && performance.now() - held.since < youngMs) return undefined;
      if (pending === undefined && (await isAlive(denied, signal))) return undefined;
      return await within(logIn(), signal);
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
};

const newlyHeld = (token: string, leaseSeconds: unknown, renewable: unknown): Held => {
  const since = performance.now();
  const ttlMs = typeof leaseSeconds === 'number' && leaseSeconds > 0 ? leaseSeconds * 1000 : undefined;
  return { token, since, renewable: renewable === true, ttlMs, endsAt: ttlMs === undefined ? Infinity : since + ttlMs };
};

const left = ({ endsAt }: Held): number => endsAt - performance.now();

/** Half of what is left, but not all pods of a deployment at the same moment. */
const toRenewal = (from: Held): number => left(from) * (0.45 + Math.random() * 0.1);
