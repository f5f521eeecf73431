import { parseForm } from '@authserver/http';
import { randomToken, type Secrets } from '../secrets.ts';
import { after, type Clock } from '../time.ts';
import type { Asked } from './request.ts';
import type { AuthorizationResponse } from './response.ts';

/**
 * An authorization request that waits for a person. It travels with the browser, encrypted, and expires; nothing of it is
 * kept here. A pushed one travels as a reference to its row, so that only the row can be answered.
 */
export type Pending = {
  /** A path of ours that goes on with it. */
  path: string;
  clientId: string;
  /** The request as a form; without a row to read it from. */
  query: string | undefined;
  /** Hash of the `request_uri`, base64url. */
  pushed: string | undefined;
  /** When the client asked, in milliseconds: what must have happened since is measured from there. */
  askedAt: number;
};
/** With what the sign-in page says of the client, and what the sign-in must be (`Demands`). */
export type PendingLogin = Pending & {
  clientName: string;
  clientVerified: boolean;
  redirectUri: string;
  loginHint: string | undefined;
  freshFrom: number | undefined;
  choose: boolean | undefined;
};
/**
 * `id` names the page, which is answered once. `shown` is what identified the client on it (`identityName`), once it was
 * drawn; the page expires at `exp`, in seconds.
 */
export type PendingConsent = Pending & { id: string; shown: string | undefined; exp: number };
export type PendingReturn = { response: AuthorizationResponse; csrf: string };

type Waiting = Omit<Pending, 'path'>;

export type PendingRequests = {
  sealLogin(waiting: Omit<PendingLogin, 'path'>): Promise<string>;
  openLogin(sealed: string): Promise<PendingLogin | undefined>;
  /** Bound to the user who will be asked: somebody else's page cannot be answered in this browser. */
  sealConsent(waiting: Waiting, userId: string): Promise<string>;
  openConsent(sealed: string, userId: string): Promise<PendingConsent | undefined>;
  /** The same request, to travel in the page that has been drawn for it; it lives no longer for that. */
  sealShown(waiting: PendingConsent, userId: string, shown: string): Promise<string>;
  /** Whoever was asked: for a browser that signs out to change the user, or comes back signed in as another. */
  openAnyConsent(sealed: string): Promise<Pending | undefined>;
  /** Bound to the browser that saw the error page (`csrf`), so that the link is no redirector for anybody else's. */
  sealReturn(response: AuthorizationResponse, csrf: string): Promise<string>;
  openReturn(sealed: string): Promise<PendingReturn | undefined>;
  /** Seconds a person may take. */
  lifetimeSeconds: number;
};

/** Where a request goes on after a page. */
export const continuePath = '/oauth/continue';

export const createPendingRequests = (secrets: Secrets, clock: Clock, lifetimeSeconds: number): PendingRequests => {
  const seal = (purpose: string, payload: Record<string, unknown>) =>
    secrets.seal(purpose, payload, after(clock.now(), lifetimeSeconds));
  const open = (purpose: string, sealed: string) => secrets.unseal(purpose, sealed, clock.now());
  const openRequest = async (purpose: string, sealed: string) => {
    const opened = await open(purpose, sealed);
    // Sealed by an older release, it has no time; its person starts again.
    return typeof opened?.askedAt === 'number' ? { ...opened, path: `${continuePath}?request=${sealed}` } : undefined;
  };

  return {
    lifetimeSeconds,
    sealLogin: (waiting) => seal('login', waiting),
    openLogin: async (sealed) => (await openRequest('login', sealed)) as PendingLogin | undefined,
    sealConsent: (waiting, userId) => seal('consent', { ...waiting, id: randomToken(), userId }),
    async openConsent(sealed, userId) {
      const opened = (await openRequest('consent', sealed)) as (PendingConsent & { userId: string }) | undefined;
      return opened?.userId === userId ? opened : undefined;
    },
    sealShown: ({ id, clientId, query, pushed, askedAt, exp }, userId, shown) =>
      secrets.seal('consent', { id, clientId, query, pushed, askedAt, userId, shown }, new Date(exp * 1000)),
    openAnyConsent: async (sealed) => (await openRequest('consent', sealed)) as Pending | undefined,
    sealReturn: (response, csrf) => seal('return', { response, csrf }),
    async openReturn(sealed) {
      const opened = await open('return', sealed);
      return opened && (opened as PendingReturn);
    },
  };
};

/** What travels of a request, without what a page adds. */
export const toWaiting = (asked: Asked, clientId: string, query: string): Waiting => ({
  clientId,
  query: asked.pushed ? undefined : query,
  pushed: asked.pushed?.toString('base64url'),
  askedAt: asked.askedAt.getTime(),
});

/** A request that was not pushed, as it came. */
export const toParams = ({ query }: Pending) => parseForm(query ?? '');
