import { OAuthError, readUserCode, showUserCode } from '@authserver/oauth';
import type { Store } from '@authserver/store';
import type { Metrics } from '@authserver/telemetry';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Browser, SignedIn } from '../authorization/browser.ts';
import { devicePages } from '../authorization/device-pages.ts';
import type { DeviceVisits } from '../authorization/device-visits.ts';
import { formFor, seeOther, sendPage } from '../authorization/pages.ts';
import type { Limits } from '../limits/limits.ts';
import { PageField } from '../params.ts';
import type { Clock } from '../time.ts';
import { noteAttempt } from '../trace/facts.ts';
import { deviceCodePage } from '../views/device.ts';

export type DeviceRouteDeps = {
  basePath: string;
  browser: Browser;
  deviceVisits: DeviceVisits;
  limits: Pick<Limits, 'deviceCode'>;
  store: Store;
  clock: Clock;
  metrics: Metrics;
};

const CodeQuery = z.object({ user_code: PageField });
const CodeForm = z.object({ csrf_token: z.string().optional(), user_code: PageField });

/**
 * Where a person enters the code of a device (RFC 8628 §3.3). It wants somebody signed in: who guesses codes does it in
 * their own name, and can win no more than to give a stranger's device access of their own.
 */
export const deviceRoute: FastifyPluginAsyncZod<DeviceRouteDeps> = async (app, deps) => {
  const { store, clock, basePath, browser } = deps;
  const pages = devicePages(deps);

  app.get('/device', { schema: { querystring: CodeQuery } }, async (request, reply) => {
    const userCode = readUserCode(request.query.user_code);
    const user = await browser.signedIn(request);
    if (!user) return pages.toLogin(reply, userCode);
    return askForCode(reply, 200, user, { userCode: userCode && showUserCode(userCode) });
  });

  app.post('/device', { schema: { body: CodeForm } }, async (request, reply) => {
    const { user_code: typed } = request.body;
    const userCode = readUserCode(typed);
    const user = await browser.signedIn(request);
    if (!user) return pages.toLogin(reply, userCode);
    if (!browser.sessionCsrfMatches(request, request.body.csrf_token)) return pages.sendForeignAnswer(request, reply);
    if (userCode) {
      const refused = await deps.limits.deviceCode(request).then(() => undefined, asRefusal);
      if (refused) return tooManyCodes(request, reply, user, refused);
    }
    const device = userCode && (await store.deviceCodes.findWaiting({ userCode }, clock.now()));
    if (!device) {
      pages.noteRefusal(request, 'user_code_unknown');
      const problem = 'No device waits with this code. It may have expired: then start again on the device.';
      return askForCode(reply, 422, user, { typed: typed?.slice(0, 32), problem });
    }
    noteAttempt(request, { clientId: device.clientId });
    return seeOther(
      reply,
      `${basePath}/device/confirm?request=${await deps.deviceVisits.seal(device.id, user.userId)}`,
    );
  });

  const askForCode = (
    reply: FastifyReply,
    status: number,
    user: SignedIn,
    view: { userCode?: string | undefined; typed?: string | undefined; problem?: string },
  ) => sendPage(reply, status, deviceCodePage({ ...formFor(user, basePath, '/device'), ...view }));

  const tooManyCodes = (request: FastifyRequest, reply: FastifyReply, user: SignedIn, refused: OAuthError) => {
    pages.noteRefusal(request, 'rate_limited');
    reply.headers(refused.headers);
    return askForCode(reply, 429, user, { problem: 'Too many codes were entered. Wait a minute and try again.' });
  };
};

const asRefusal = (error: unknown): OAuthError => {
  if (error instanceof OAuthError) return error;
  throw error;
};
