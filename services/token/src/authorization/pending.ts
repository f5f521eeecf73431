import type { Secrets } from '../secrets.ts';
import { after, type Clock } from '../time.ts';

/** What waits for a person: it travels with the browser, encrypted, and expires. Nothing of it is kept here. */
export type PendingLogin = { path: string; clientName: string; clientVerified: boolean; redirectUri: string };
export type PendingConsent = { path: string };
export type PendingReturn = { location: string; csrf: string };

export type PendingRequests = {
  sealLogin(waiting: PendingLogin): Promise<string>;
  openLogin(sealed: string): Promise<PendingLogin | undefined>;
  /** Bound to the user who will be asked: somebody else's page cannot be answered in this browser. */
  sealConsent(path: string, userId: string): Promise<string>;
  openConsent(sealed: string, userId: string): Promise<PendingConsent | undefined>;
  /** The path alone, for a browser that signs out to change the user. */
  openAnyConsent(sealed: string): Promise<PendingConsent | undefined>;
  /** Bound to the browser that saw the error page (`csrf`), so that the link is no redirector for anybody else's. */
  sealReturn(location: string, csrf: string): Promise<string>;
  openReturn(sealed: string): Promise<PendingReturn | undefined>;
};

export const createPendingRequests = (secrets: Secrets, clock: Clock, lifetimeSeconds: number): PendingRequests => {
  const seal = (purpose: string, payload: Record<string, unknown>) =>
    secrets.seal(purpose, payload, after(clock.now(), lifetimeSeconds));
  const open = (purpose: string, sealed: string) => secrets.unseal(purpose, sealed, clock.now());

  return {
    sealLogin: (waiting) => seal('login', waiting),
    async openLogin(sealed) {
      const opened = await open('login', sealed);
      return opened && (opened as PendingLogin);
    },
    sealConsent: (path, userId) => seal('consent', { path, userId }),
    async openConsent(sealed, userId) {
      const opened = await open('consent', sealed);
      return opened?.userId === userId ? (opened as PendingConsent) : undefined;
    },
    async openAnyConsent(sealed) {
      const opened = await open('consent', sealed);
      return opened && (opened as PendingConsent);
    },
    sealReturn: (location, csrf) => seal('return', { location, csrf }),
    async openReturn(sealed) {
      const opened = await open('return', sealed);
      return opened && (opened as PendingReturn);
    },
  };
};
