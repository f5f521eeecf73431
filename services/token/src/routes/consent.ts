import { parseForm } from '@authserver/http';
import { OAuthError, redirectKind } from '@authserver/oauth';
import { uuidv7 } from '@authserver/store';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { origin, type SignedIn } from '../authorization/browser.ts';
import { seeOther, sendPage } from '../authorization/pages.ts';
import { type AuthorizationRequest, readAuthorizationRequest } from '../authorization/request.ts';
import { codeResponse, errorResponse } from '../authorization/response.ts';
import { consentPage } from '../views/consent.ts';
import { messagePage } from '../views/message.ts';
import { type AuthorizeRouteDeps, destinationName } from './authorize.ts';

const ConsentForm = z.object({
  request: z.string(),
  csrf_token: z.string().optional(),
  action: z.enum(['allow', 'deny']),
  scopes: z.union([z.string().transform((scope) => [scope]), z.array(z.string())]).default([]),
});

/**
 * The consent page: a person says what a client may do for them. The request is read again from its sealed copy on every
 * step, so what is granted is what would be granted now, not what was true when the page was drawn.
 */
export const consentRoute: FastifyPluginAsyncZod<AuthorizeRouteDeps> = async (app, deps) => {
  const { store, clock, basePath, issuer } = deps;

  app.get('/consent', { schema: { querystring: z.object({ request: z.string() }) } }, async (request, reply) => {
    const user = await deps.browser.signedIn(request);
    if (!user) return seeOther(reply, await loginAgain(request.query.request));
    const authorization = await open(request.query.request, user);
    if (!authorization) return expired(request, reply);
    return ask(reply, request.query.request, authorization, user);
  });

  app.post('/consent', { schema: { body: ConsentForm } }, async (request, reply) => {
    const form = request.body;
    const user = await deps.browser.signedIn(request);
    if (!user) return seeOther(reply, await loginAgain(form.request));
    if (!deps.browser.sessionCsrfMatches(request, form.csrf_token)) return notFromHere(request, reply);
    const authorization = await open(form.request, user);
    if (!authorization) return expired(request, reply);
    if (form.action === 'deny') return deny(request, reply, authorization, user);
    return allow(request, reply, authorization, user, form);
  });

  /** Checks the sealed request as if it had just arrived. */
  const open = async (sealed: string, user: SignedIn): Promise<AuthorizationRequest | undefined> => {
    const waiting = await deps.pending.openConsent(sealed, user.userId);
    if (!waiting) return undefined;
    const query = waiting.path.slice(waiting.path.indexOf('?') + 1);
    return readAuthorizationRequest(parseForm(query), deps).catch((error: unknown) => {
      if (error instanceof OAuthError) return undefined; // no longer possible: the client or the resource has changed
      throw error;
    });
  };

  const loginAgain = async (sealed: string): Promise<string> => {
    const waiting = await deps.pending.openAnyConsent(sealed);
    return waiting ? `${basePath}${waiting.path}` : `${basePath}/login`;
  };

  const ask = async (reply: FastifyReply, sealed: string, authorization: AuthorizationRequest, user: SignedIn) => {
    const { client, resource, redirectUri, scopes } = authorization;
    const held = await store.consentGrants.findActive(user.userId, client.clientId, resource?.id);
    const described = new Map(
      (resource ? [resource] : (await deps.resources()).all).flatMap(({ scopes: catalog }) =>
        catalog.map((scope) => [scope.name, scope.description]),
      ),
    );
    const kind = redirectKind(redirectUri);
    const page = consentPage({
      action: `${basePath}/consent`,
      switchAccountAction: `${basePath}/logout`,
      csrfToken: user.csrfToken,
      request: sealed,
      client: {
        name: client.clientName,
        id: client.clientId,
        verified: client.registrationSource === 'admin',
        source: client.registrationSource,
      },
      user: { email: user.email ?? user.userId, name: user.name },
      resource: resource?.uri
        ? { displayName: resource.displayName, slug: resource.slug, uri: resource.uri }
        : undefined,
      redirect: {
        display: destinationName(redirectUri),
        loopback: kind === 'loopback',
        privateScheme: kind === 'private-use',
      },
      scopes: scopes.map((name) => ({
        name,
        description: described.get(name) || undefined,
        alreadyGranted: held?.scopes.includes(name),
      })),
      offlineAccess: client.grantTypes.includes('refresh_token'),
    });
    return sendPage(reply, 200, page, redirectUri);
  };

  const allow = async (
    request: FastifyRequest,
    reply: FastifyReply,
    authorization: AuthorizationRequest,
    user: SignedIn,
    form: z.infer<typeof ConsentForm>,
  ) => {
    const { client, resource } = authorization;
    const allowed = authorization.scopes.filter((scope) => form.scopes.includes(scope));
    if (allowed.length === 0 || form.scopes.some((scope) => !authorization.scopes.includes(scope))) {
      const page = messagePage({
        title: 'Nothing was selected',
        lead: 'Select at least one permission, or choose Deny to refuse them all.',
        action: { href: `${basePath}/consent?request=${form.request}`, label: 'Back to the selection' },
      });
      return sendPage(reply, 400, page);
    }
    const now = clock.now();
    const code = await store.transaction(async (tx) => {
      const grant = await tx.consentGrants.allow({
        id: uuidv7(now),
        userId: user.userId,
        clientId: client.clientId,
        resourceId: resource?.id,
        asked: authorization.scopes,
        allowed,
        now,
      });
      await tx.auditEvents.insert({
        action: 'consent.granted',
        at: now,
        actorId: user.userId,
        clientId: client.clientId,
        details: { resource: resource?.uri ?? '', scopes: allowed },
        ...origin(request),
      });
      return deps.codes.issue(tx, authorization, user, grant, allowed, now);
    });
    deps.metrics.consentDecisions.inc({ decision: 'granted' });
    return seeOther(reply, codeResponse(authorization, code, issuer));
  };

  const deny = async (
    request: FastifyRequest,
    reply: FastifyReply,
    authorization: AuthorizationRequest,
    user: SignedIn,
  ) => {
    await store.auditEvents.insert({
      action: 'consent.denied',
      at: clock.now(),
      actorId: user.userId,
      clientId: authorization.client.clientId,
      details: { resource: authorization.resource?.uri ?? '' },
      ...origin(request),
    });
    deps.metrics.consentDecisions.inc({ decision: 'denied' });
    deps.metrics.authDenied.inc({ reason: 'consent_denied' });
    const error = { code: 'access_denied', description: 'The user refused.' };
    return seeOther(reply, errorResponse(authorization, error, issuer));
  };

  const expired = (request: FastifyRequest, reply: FastifyReply) =>
    sendPage(
      reply,
      400,
      messagePage({
        title: 'This request has expired',
        lead: 'Go back to the app you came from and start again.',
        requestId: request.id,
      }),
    );

  const notFromHere = (request: FastifyRequest, reply: FastifyReply) =>
    sendPage(
      reply,
      403,
      messagePage({
        title: 'That answer did not come from this page',
        lead: 'Nothing was shared. Go back to the app you came from and start again.',
        requestId: request.id,
      }),
    );
};
