/**
 * What a browser carries from here to the OpenID provider and back. Nothing is kept here: `state` is sealed, so that any pod
 * can open it, and is worth something only in the browser that holds the cookie it was made for (RFC 9700 §4.7).
 */
import { createHash } from 'node:crypto';
import type { Config } from '@authserver/config';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { hostCookie } from '../cookies.ts';
import { randomToken, type Secrets } from '../secrets.ts';
import { after, type Clock } from '../time.ts';

/** A sign-in that is under way. */
export type Flow = {
  /** Comes back in the ID token, and names this sign-in: it is answered once. */
  nonce: string;
  /** For PKCE (RFC 7636 §4.1). */
  verifier: string;
  /** What waits for it: the sealed authorization request, or a page of ours. */
  request: string | undefined;
  next: { next?: string; user_code?: string } | undefined;
  /** The person must have proven who they are since then, in milliseconds: what `prompt` and `max_age` come to. */
  freshFrom: number | undefined;
};

export type Flows = {
  /** Seals a sign-in that begins in this browser. */
  begin(
    request: FastifyRequest,
    reply: FastifyReply,
    wanted: Pick<Flow, 'request' | 'next' | 'freshFrom'>,
  ): Promise<Begun>;
  /** The sign-in that `state` was made for; `undefined` when it is not ours, is over, or began in another browser. */
  resume(request: FastifyRequest, state: string): Promise<Flow | undefined>;
  /** Whether somebody signed out here a moment ago, and would be surprised to be the same person again at once. */
  wantsToChoose(request: FastifyRequest): boolean;
  askToChoose(reply: FastifyReply): void;
  chosen(reply: FastifyReply): void;
};

export type Begun = { state: string; nonce: string; challenge: string };

/** Time a person may take at the provider. */
export const flowSeconds = 600;

export const createFlows = (deps: { secrets: Secrets; clock: Clock; config: Config }): Flows => {
  const { secrets, clock } = deps;
  const { secure } = deps.config.session;
  const stateCookie = hostCookie('authserver_oidc_state', secure);
  const chooseCookie = hostCookie('authserver_choose_account', secure);
  // Never `strict`: the way back from the provider is a link from another site.
  const base = { path: '/', httpOnly: true, secure, sameSite: 'lax' } as const;
  const browserOf = (request: FastifyRequest): string | undefined => {
    const value = request.cookies[stateCookie];
    return value && /^[A-Za-z0-9_-]{43}$/.test(value) ? value : undefined;
  };

  return {
    async begin(request, reply, wanted) {
      // One cookie for all tabs: a second sign-in must not spoil the first.
      const browser = browserOf(request) ?? randomToken();
      const [nonce, verifier] = [randomToken(), randomToken()];
      const binding = secrets.csrfToken(`oidc ${browser}`);
      const payload = { ...wanted, nonce, verifier, binding };
      const state = await secrets.seal('oidc', payload, after(clock.now(), flowSeconds));
      reply.setCookie(stateCookie, browser, { ...base, maxAge: flowSeconds });
      return { state, nonce, challenge: createHash('sha256').update(verifier).digest('base64url') };
    },

    async resume(request, state) {
      const opened = (await secrets.unseal('oidc', state, clock.now())) as (Flow & { binding: string }) | undefined;
      const browser = browserOf(request);
      if (!opened || browser === undefined || !secrets.csrfMatches(`oidc ${browser}`, opened.binding)) return undefined;
      return opened;
    },

    wantsToChoose: (request) => request.cookies[chooseCookie] !== undefined,
    askToChoose: (reply) => void reply.setCookie(chooseCookie, '1', { ...base, maxAge: flowSeconds }),
    chosen: (reply) => void reply.clearCookie(chooseCookie, base),
  };
};
