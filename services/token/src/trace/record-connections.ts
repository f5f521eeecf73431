import { referenceOf } from '@authserver/http';
import type { GrantType } from '@authserver/oauth';
import { type ConnectionEvent, uuidv7 } from '@authserver/store';
import type { FastifyInstance, FastifyReply, FastifyRequest, onResponseHookHandler } from 'fastify';
import type { Clock } from '../time.ts';
import { askedFor, keep } from './asked.ts';
import { factsOf } from './facts.ts';
import type { FlightRecorder } from './recorder.ts';

/** The way of a client into the house, by route. */
const steps: Readonly<Record<string, string>> = {
  '/oauth/register': 'registration',
  '/oauth/par': 'pushed_request',
  '/oauth/authorize': 'authorization',
  '/oauth/continue': 'authorization',
  '/login': 'login',
  '/oidc/start': 'login',
  '/oidc/callback': 'login',
  '/consent': 'consent',
  '/consent/exchange': 'consent',
  '/oauth/device_authorization': 'device_authorization',
  '/device': 'device',
  '/device/confirm': 'device',
  '/oauth/token': 'token',
};

/** Refreshes and machine tokens that succeed are the traffic of those who are in already; their issuances are kept. */
const firstTokens: readonly unknown[] = [
  'authorization_code',
  'urn:ietf:params:oauth:grant-type:device_code',
] satisfies GrantType[];
const isFirstToken = (body: unknown): boolean => firstTokens.includes((body as { grant_type?: unknown }).grant_type);

/** Keeps every step and every refusal of clients on their way in, for `authserver admin trace`. */
export const recordConnections = (
  app: Pick<FastifyInstance, 'addHook'>,
  recorder: FlightRecorder,
  clock: Clock,
): void => {
  app.addHook('onRoute', (route) => {
    const step = stepOf(route.url);
    if (step === undefined) return;
    const record: onResponseHookHandler = (request, reply, done) => {
      if (isWorthKeeping(step, request, reply))
        recorder.record(request.ip, () => toEvent(step, request, reply, clock.now()));
      done();
    };
    route.onResponse = [...[route.onResponse ?? []].flat(), record];
  });
};

const stepOf = (url: string): string | undefined =>
  steps[url] ?? (url.startsWith('/.well-known/') && !url.endsWith('jwks.json') ? 'discovery' : undefined);

const isRefused = (request: FastifyRequest, reply: FastifyReply): boolean =>
  reply.statusCode >= 400 || factsOf(request).error !== undefined;

const isWorthKeeping = (step: string, request: FastifyRequest, reply: FastifyReply): boolean => {
  if (request.method === 'OPTIONS') return false;
  if (factsOf(request).error === 'authorization_pending') return false; // a device that waits asks every five seconds
  return step !== 'token' || isFirstToken(request.body) || isRefused(request, reply);
};

const toEvent = (step: string, request: FastifyRequest, reply: FastifyReply, now: Date): ConnectionEvent => {
  const facts = factsOf(request);
  const asked = askedFor(request.method === 'GET' ? request.query : request.body);
  return {
    id: uuidv7(now),
    at: now,
    reference: referenceOf(request.id),
    requestId: request.id,
    step,
    outcome: reply.statusCode >= 500 ? 'failed' : isRefused(request, reply) ? 'refused' : 'ok',
    status: reply.statusCode,
    clientId: facts.clientId === undefined ? presented(request) : keep(facts.clientId),
    ip: request.ip,
    userAgent: request.headers['user-agent'] && keep(request.headers['user-agent'], 200),
    error: facts.error,
    reason: facts.reason,
    details: { method: request.method, ...asked, ...leadsTo(reply), ...facts.details },
  };
};

/** Where a redirect went: a page of ours by its path, anything else by its host. */
const leadsTo = (reply: FastifyReply): { leads_to?: string } => {
  const location = reply.getHeader('location');
  if (typeof location !== 'string') return {};
  if (location.startsWith('/')) return { leads_to: location.split('?', 1)[0] ?? '' };
  const url = URL.parse(location);
  return { leads_to: url ? keep(`${url.protocol}//${url.host}`) : '' };
};

/** The `client_id` parameter, where no route has said more. */
const presented = ({ method, query, body }: FastifyRequest): string | undefined => {
  const parameters = (method === 'GET' ? query : body) as Record<string, unknown> | null | undefined;
  const clientId = parameters?.client_id;
  return typeof clientId === 'string' ? keep(clientId) : undefined;
};
