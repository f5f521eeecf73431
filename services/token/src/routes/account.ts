import { endConsent, type HeldConsent, type Store } from '@authserver/store';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type Browser, origin, type SignedIn } from '../authorization/browser.ts';
import { loginBefore } from '../authorization/next-page.ts';
import { seeOther, sendPage } from '../authorization/pages.ts';
import type { Clock } from '../time.ts';
import { type AccountApp, type AccountNews, accountNews, accountPage } from '../views/account-page.ts';
import { messagePage } from '../views/message.ts';
import { describeUserAgent } from '../views/user-agent.ts';

export type AccountRouteDeps = { basePath: string; browser: Browser; store: Store; clock: Clock };

const AccountForm = z.object({
  csrf_token: z.string().optional(),
  action: z.enum(['end_app', 'end_apps', 'end_session', 'end_other_sessions']),
  consent: z.string().optional(),
  session: z.string().optional(),
});
type AccountForm = z.infer<typeof AccountForm>;

const News = z.custom<AccountNews>((value) => typeof value === 'string' && Object.hasOwn(accountNews, value));

/** Rows of each kind that are shown. */
const most = 100;

/**
 * Self-service: what a person has allowed, where they are signed in, and the end of either. Every statement names the
 * user of the session, so an id of somebody else's changes nothing and is answered like one that has ended.
 */
export const accountRoute: FastifyPluginAsyncZod<AccountRouteDeps> = async (app, deps) => {
  const { store, clock, browser, basePath } = deps;
  const here = `${basePath}/account`;
  const toLogin = `${basePath}${loginBefore({ name: 'account' })}`;

  app.get(
    '/account',
    { schema: { querystring: z.object({ done: News.optional().catch(undefined) }) } },
    async (request, reply) => {
      const user = await browser.signedIn(request);
      if (!user) return seeOther(reply, toLogin);
      const now = clock.now();
      const [consents, sessions] = await Promise.all([
        store.consentGrants.listHeldOfUser(user.userId, now, most + 1),
        store.browserSessions.listLiveOfUser(user.userId, now, most + 1),
      ]);
      const page = accountPage({
        user: { email: user.email ?? user.userId, name: user.name },
        csrfToken: user.csrfToken,
        action: here,
        signOutAction: `${basePath}/logout`,
        apps: consents.slice(0, most).map(toApp),
        sessions: sessions.slice(0, most).map((session) => ({
          id: session.idHash.toString('base64url'),
          browser: describeUserAgent(session.userAgent),
          ip: session.ip,
          signedInAt: session.signedInAt,
          current: session.idHash.equals(user.sessionHash),
        })),
        more: { apps: consents.length > most, sessions: sessions.length > most },
        news: request.query.done,
      });
      return sendPage(reply, 200, page);
    },
  );

  app.post('/account', { schema: { body: AccountForm } }, async (request, reply) => {
    const user = await browser.signedIn(request);
    if (!user) return seeOther(reply, toLogin);
    if (!browser.sessionCsrfMatches(request, request.body.csrf_token)) {
      const page = messagePage({
        title: 'Nothing was changed',
        lead: 'The request did not come from a page of this server.',
        action: { href: here, label: 'Go to your account' },
        requestId: request.id,
      });
      return sendPage(reply, 403, page);
    }
    const from = { at: clock.now(), actorId: user.userId, ...origin(request) };
    const ended = await act(request.body, user, from);
    return seeOther(reply, `${here}?done=${ended}`);
  });

  type From = { at: Date; actorId: string } & ReturnType<typeof origin>;

  const act = (form: AccountForm, user: SignedIn, from: From): Promise<AccountNews> => {
    if (form.action === 'end_app') return endApp(form.consent ?? '', user, from);
    if (form.action === 'end_apps') return endApps(user, from);
    if (form.action === 'end_session') return endSession(form.session ?? '', user, from);
    return endOtherSessions(user, from);
  };

  const endApp = (id: string, user: SignedIn, from: From): Promise<AccountNews> =>
    store.transaction(async (tx) => {
      const held = await tx.consentGrants.find(id);
      if (held?.userId !== user.userId) return 'nothing';
      const ended = await endConsent(tx, held.id, from.at);
      if (!ended) return 'nothing';
      const { revoked, families } = ended;
      await tx.auditEvents.insert({
        ...from,
        action: 'consent.revoked_user',
        clientId: revoked.clientId,
        details: {
          id: revoked.id,
          resource_id: revoked.resourceId,
          scopes: revoked.scopes,
          revoked_families: families,
        },
      });
      await tx.changes.record('revocation', revoked.id);
      return 'consent';
    });

  /** Every token that was issued for the user, whatever it came from. Sessions go on. */
  const endApps = (user: SignedIn, from: From): Promise<AccountNews> =>
    store.transaction(async (tx) => {
      const consents = await tx.consentGrants.revokeAllOfUser(user.userId, from.at);
      const families = await tx.tokenFamilies.revokeAll({ userId: user.userId }, 'consent_revoked', from.at);
      if (consents + families === 0) return 'nothing';
      await tx.revocationMarkers.set('user', user.userId, from.at);
      await tx.auditEvents.insert({
        ...from,
        action: 'consent.revoked_user',
        details: { all: true, consents, revoked_families: families },
      });
      await tx.changes.record('revocation', `user:${user.userId}`);
      return 'all-consents';
    });

  const endSession = (id: string, user: SignedIn, from: From): Promise<AccountNews> =>
    store.transaction(async (tx) => {
      if (!/^[A-Za-z0-9_-]{43}$/.test(id)) return 'nothing';
      const ended = await tx.browserSessions.endOfUser(user.userId, Buffer.from(id, 'base64url'), from.at);
      if (!ended) return 'nothing';
      await tx.auditEvents.insert({ ...from, action: 'user.sessions_ended', details: { sessions: 1 } });
      return 'session';
    });

  const endOtherSessions = (user: SignedIn, from: From): Promise<AccountNews> =>
    store.transaction(async (tx) => {
      const sessions = await tx.browserSessions.endOthersOfUser(user.userId, user.sessionHash, from.at);
      if (sessions === 0) return 'nothing';
      await tx.auditEvents.insert({ ...from, action: 'user.sessions_ended', details: { sessions } });
      return 'other-sessions';
    });
};

const toApp = ({ id, client, clientId, resource, scopes, createdAt, lastUsedAt }: HeldConsent): AccountApp => ({
  id,
  name: client.name,
  clientId,
  source: client.source,
  blocked: client.status !== 'active',
  resource,
  scopes,
  since: createdAt,
  lastUsed: lastUsedAt,
});
