import { asksOfflineAccess, OAuthError, showUserCode } from '@authserver/oauth';
import type { Client, Store, WaitingDevice } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type Browser, origin, type SignedIn } from '../authorization/browser.ts';
import { type ConsentRequest, recordConsent, storeConsent } from '../authorization/consents.ts';
import { devicePages } from '../authorization/device-pages.ts';
import type { DeviceVisits } from '../authorization/device-visits.ts';
import { formFor, sendPage } from '../authorization/pages.ts';
import { AnswerForm, questionOf, sendNothingSelected, tickedScopes } from '../authorization/question.ts';
import { readWishes, type WishesDeps } from '../authorization/wishes.ts';
import type { DocumentRows } from '../clients/document-rows.ts';
import { identityName } from '../clients/metadata-document.ts';
import { splitParams } from '../params.ts';
import type { Clock } from '../time.ts';
import { noteAttempt } from '../trace/facts.ts';
import { devicePage } from '../views/device.ts';
import { messagePage } from '../views/message.ts';

export type DeviceConfirmRouteDeps = WishesDeps & {
  basePath: string;
  browser: Browser;
  deviceVisits: DeviceVisits;
  findClient: (clientId: string) => Promise<Client | undefined>;
  keepClient: DocumentRows['keep'];
  store: Store;
  clock: Clock;
  metrics: Metrics;
};

/** A device's request as it would be answered now. */
type Opened = {
  device: WaitingDevice;
  asked: ConsentRequest;
  /** What identified the client in the question, if it comes from there. */
  shown: string | undefined;
};

/**
 * Where a person who has entered the code of a device allows or refuses it (RFC 8628 §3.3). The request is read again on
 * every step, so what is granted is what would be granted now.
 */
export const deviceConfirmRoute: FastifyPluginAsyncZod<DeviceConfirmRouteDeps> = async (app, deps) => {
  const { store, clock, basePath, browser, metrics } = deps;
  const pages = devicePages(deps);

  app.get('/device/confirm', { schema: { querystring: z.object({ request: z.string() }) } }, async (request, reply) => {
    const user = await browser.signedIn(request);
    if (!user) return pages.toLogin(reply);
    const opened = await open(request.query.request, user);
    if (!opened) return expired(request, reply);
    noteAttempt(request, { clientId: opened.asked.client.clientId });
    return ask(request, reply, opened, user);
  });

  app.post('/device/confirm', { schema: { body: AnswerForm } }, async (request, reply) => {
    const form = request.body;
    const user = await browser.signedIn(request);
    if (!user) return pages.toLogin(reply);
    if (!browser.sessionCsrfMatches(request, form.csrf_token)) return pages.sendForeignAnswer(request, reply);
    const opened = await open(form.request, user);
    if (!opened) return expired(request, reply);
    // What a person allows is what they were shown: not who the client has become while the question stood there.
    if (form.action === 'allow' && opened.shown !== identityName(opened.asked.client))
      return ask(request, reply, opened, user, true);
    noteAttempt(request, { clientId: opened.asked.client.clientId, details: { decision: form.action } });
    return form.action === 'deny' ? deny(request, reply, opened, user) : allow(request, reply, opened, user, form);
  });

  /** The request, if this person was asked about it, nobody has answered it, and it would still be accepted. */
  const open = async (sealed: string, user: SignedIn): Promise<Opened | undefined> => {
    const visit = await deps.deviceVisits.open(sealed, user.userId);
    const device = visit && (await store.deviceCodes.findWaiting({ id: visit.deviceId }, clock.now()));
    const client = device && (await deps.findClient(device.clientId));
    if (!visit || !device || client?.status !== 'active') return undefined;
    try {
      const { params } = splitParams({ scope: device.scope ?? '', resource: [...device.resources] });
      const wishes = await readWishes(params, client, deps);
      const offlineAccess = asksOfflineAccess(device.scope);
      return { device, asked: { client, ...wishes, offlineAccess, redirectUri: undefined }, shown: visit.shown };
    } catch (error) {
      if (error instanceof OAuthError) return undefined; // no longer possible: the client or the resource has changed
      throw error;
    }
  };

  const ask = async (
    request: FastifyRequest,
    reply: FastifyReply,
    { device, asked }: Opened,
    user: SignedIn,
    changed = false,
  ) => {
    const page = devicePage({
      ...formFor(user, basePath, '/device/confirm'),
      ...(await questionOf(asked, user.userId, deps)),
      request: await deps.deviceVisits.seal(device.id, user.userId, identityName(asked.client)),
      userCode: showUserCode(device.userCode),
      changed,
      origin: {
        ip: device.ip,
        same: device.ip === request.ip,
        minutesAgo: Math.floor((clock.now().getTime() - device.createdAt.getTime()) / 60_000),
      },
    });
    return sendPage(reply, 200, page);
  };

  const allow = async (
    request: FastifyRequest,
    reply: FastifyReply,
    { device, asked }: Opened,
    user: SignedIn,
    form: AnswerForm,
  ) => {
    const allowed = tickedScopes(asked, form);
    if (!allowed) return sendNothingSelected(reply, `${basePath}/device/confirm?request=${form.request}`);
    const now = clock.now();
    const from = { at: now, actorId: user.userId, clientId: device.clientId, ...origin(request) };
    await deps.keepClient(asked.client, now, { actorId: user.userId, ...origin(request) });
    const answered = await store
      .transaction(async (tx) => {
        // The consent is locked before the request, here as everywhere; who comes second writes nothing.
        const targets = await storeConsent(tx, asked, user.userId, allowed, now);
        if (!(await tx.deviceCodes.decide(device.id, true, now))) throw new AnsweredMeanwhile();
        await recordConsent(tx, targets, { ...from, details: { device_ip: device.ip } });
        await tx.authorizationCodes.insert({
          codeHash: device.deviceCodeHash,
          clientId: device.clientId,
          userId: user.userId,
          userEpoch: user.userEpoch,
          // Neither an address nor a verifier: at the authorization code grant it is worth nothing.
          redirectUri: '',
          codeChallenge: '',
          targets,
          authTime: user.authTime,
          acr: user.acr,
          offlineAccess: asked.offlineAccess,
          dpopJkt: device.dpopJkt,
          createdAt: now,
          expiresAt: device.expiresAt,
        });
        return true;
      })
      .catch(unlessAnswered);
    if (!answered) return expired(request, reply);
    metrics.consentDecisions.inc({ decision: 'granted' });
    metrics.deviceRequests.inc({ outcome: 'allowed' });
    return done(reply, 'Your device is connected', 'Go back to it: it notices within a few seconds.');
  };

  const deny = async (request: FastifyRequest, reply: FastifyReply, { device, asked }: Opened, user: SignedIn) => {
    const now = clock.now();
    const answered = await store.transaction(async (tx) => {
      if (!(await tx.deviceCodes.decide(device.id, false, now))) return false;
      await tx.auditEvents.insert({
        action: 'consent.denied',
        at: now,
        actorId: user.userId,
        clientId: device.clientId,
        details: { resource: asked.resources.map(({ uri }) => uri).join(' '), device_ip: device.ip },
        ...origin(request),
      });
      return true;
    });
    if (!answered) return expired(request, reply);
    metrics.consentDecisions.inc({ decision: 'denied' });
    metrics.deviceRequests.inc({ outcome: 'denied' });
    pages.noteRefusal(request, 'consent_denied');
    return done(reply, 'The device was refused', 'It gets no access. You can close this page.');
  };

  const done = (reply: FastifyReply, title: string, lead: string) =>
    sendPage(reply, 200, messagePage({ title, lead, action: { href: `${basePath}/account`, label: 'See your apps' } }));

  const expired = (request: FastifyRequest, reply: FastifyReply) =>
    sendPage(
      reply,
      400,
      messagePage({
        title: 'This device does not wait any longer',
        lead: 'Its code has expired or was answered before. If you want to connect it, start again on the device.',
        requestId: request.id,
      }),
    );
};

/** Undoes a transaction whose request somebody else answered first. */
class AnsweredMeanwhile extends Error {}

const unlessAnswered = (error: unknown): false => {
  if (error instanceof AnsweredMeanwhile) return false;
  throw error;
};
