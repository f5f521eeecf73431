import type { Config } from '@authserver/config';
import type { BrowserSession, SessionQuestion, SessionWithConsents, Store } from '@authserver/store';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { hostCookie } from '../cookies.ts';
import { randomToken, type Secrets, tokenHash } from '../secrets.ts';
import { after, type Clock } from '../time.ts';

/** Who sits at the browser. `csrfToken` goes into the forms of this session, `sessionHash` tells it from the others. */
export type SignedIn = BrowserSession & { csrfToken: string; sessionHash: Buffer };

/** How somebody proved who they are. */
export type SignIn = {
  action: 'user.login' | 'user.oidc_login';
  /** When, if that was before now. */
  authTime?: Date;
  acr: string | undefined;
  details?: Record<string, unknown>;
};

export type Browser = {
  /** The person signed in at this browser, if any; one read. */
  signedIn(request: FastifyRequest): Promise<SignedIn | undefined>;
  /** The same, with what they allow a client at some resources; still one read. */
  signedInWithConsents(
    request: FastifyRequest,
    asked: Pick<SessionQuestion, 'clientId' | 'resourceIds'>,
  ): Promise<(SignedIn & Pick<SessionWithConsents, 'consents'>) | undefined>;
  /**
   * Starts a session with a new random id; whatever id the browser had before ends, so none can be planted.
   * False when the user was ended (disabled, new password) since `epoch` was read.
   */
  signIn(
    request: FastifyRequest,
    reply: FastifyReply,
    user: { id: string; epoch: number },
    how: SignIn,
  ): Promise<boolean>;
  signOut(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /** A form that belongs to nobody yet is bound to a cookie of its own, against login CSRF. */
  anonymousCsrf(request: FastifyRequest, reply: FastifyReply): string;
  anonymousCsrfMatches(request: FastifyRequest, presented: string | undefined): boolean;
  sessionCsrfMatches(request: FastifyRequest, presented: string | undefined): boolean;
};

const nonceCookieName = 'authserver_login_nonce';
const nonceSeconds = 12 * 3600;

export const createBrowser = (deps: { store: Store; secrets: Secrets; clock: Clock; config: Config }): Browser => {
  const { store, secrets, clock } = deps;
  const { session } = deps.config;
  const nonceCookie = hostCookie(nonceCookieName, session.secure);
  const sessionCookie = hostCookie(session.cookie_name, session.secure);
  const base = { path: '/', httpOnly: true, secure: session.secure, sameSite: session.same_site } as const;
  const sessionIdOf = (request: FastifyRequest): string | undefined => request.cookies[sessionCookie];
  const nonceOf = (request: FastifyRequest): string | undefined => {
    const nonce = request.cookies[nonceCookie];
    return nonce && /^[A-Za-z0-9_-]{43}$/.test(nonce) ? nonce : undefined;
  };

  const toSignedIn = <Found extends BrowserSession>(id: string, sessionHash: Buffer, found: Found) => ({
    ...found,
    sessionHash,
    get csrfToken() {
      return secrets.csrfToken(`session ${id}`); // most requests show no form
    },
  });

  return {
    async signedIn(request) {
      const id = sessionIdOf(request);
      if (!id) return undefined;
      const idHash = tokenHash(id);
      const found = await store.browserSessions.findLive(idHash, clock.now());
      return found && toSignedIn(id, idHash, found);
    },

    async signedInWithConsents(request, { clientId, resourceIds }) {
      const id = sessionIdOf(request);
      if (!id) return undefined;
      const question = { idHash: tokenHash(id), now: clock.now(), clientId, resourceIds };
      const found = await store.browserSessions.findLiveWithConsents(question);
      return found && toSignedIn(id, question.idHash, found);
    },

    async signIn(request, reply, user, { action, authTime, acr, details }) {
      const id = randomToken();
      const previous = sessionIdOf(request);
      const now = clock.now();
      const begun = await store.transaction(async (tx) => {
        if (previous) await tx.browserSessions.end(tokenHash(previous), now);
        const inserted = await tx.browserSessions.insert({
          idHash: tokenHash(id),
          userId: user.id,
          userEpoch: user.epoch,
          authTime: authTime ?? now,
          signedInAt: now,
          acr,
          expiresAt: after(now, session.max_age),
          ip: request.ip,
          userAgent: request.headers['user-agent']?.slice(0, 256),
        });
        if (inserted)
          await tx.auditEvents.insert({
            action,
            at: now,
            actorId: user.id,
            details: details ?? {},
            ...origin(request),
          });
        return inserted;
      });
      if (!begun) return false;
      reply.setCookie(sessionCookie, id, { ...base, maxAge: Math.floor(session.max_age) });
      return true;
    },

    async signOut(request, reply) {
      const id = sessionIdOf(request);
      const now = clock.now();
      if (id)
        await store.transaction(async (tx) => {
          const userId = await tx.browserSessions.end(tokenHash(id), now);
          if (userId)
            await tx.auditEvents.insert({ action: 'user.logout', at: now, actorId: userId, ...origin(request) });
        });
      reply.clearCookie(sessionCookie, base).clearCookie(nonceCookie, base);
    },

    anonymousCsrf(request, reply) {
      const nonce = nonceOf(request) ?? randomToken();
      reply.setCookie(nonceCookie, nonce, { ...base, maxAge: nonceSeconds });
      return secrets.csrfToken(`login ${nonce}`);
    },
    anonymousCsrfMatches(request, presented) {
      const nonce = nonceOf(request);
      return nonce !== undefined && secrets.csrfMatches(`login ${nonce}`, presented);
    },
    sessionCsrfMatches(request, presented) {
      const id = sessionIdOf(request);
      return id !== undefined && secrets.csrfMatches(`session ${id}`, presented);
    },
  };
};

/** Where a request came from, for the audit trail. */
export const origin = (request: FastifyRequest) => ({
  ip: request.ip,
  userAgent: request.headers['user-agent'],
  requestId: request.id,
});
