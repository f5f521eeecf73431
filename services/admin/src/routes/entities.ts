import {
  entities,
  Id,
  type OnProgress,
  type Operation,
  pathParams,
  queryOf,
  successStatus,
} from '@authserver/admin-api';
import { type HttpServer, Problem } from '@authserver/http';
import type { FastifyRequest, HTTPMethods } from 'fastify';
import { z } from 'zod';
import { identityOf } from '../auth/identity.ts';
import type { AdminPlane } from '../deps.ts';
import type { Caller } from '../handlers/handler.ts';
import { linesOf } from '../operations/lines.ts';
import { type AnyHandler, runOperation } from '../operations/run.ts';
import { sendProgress, wantsProgress } from './progress.ts';

/** Every operation of every entity of the admin API, as a route. */
export const entityRoutes = (
  app: HttpServer,
  plane: Pick<AdminPlane, 'handlers' | 'clock' | 'store' | 'committed'>,
): void => {
  const methodsOf = new Map<string, HTTPMethods[]>();
  for (const [entity, { operations }] of Object.entries(entities))
    for (const [name, operation] of Object.entries<Operation>(operations)) {
      const url = operation.path.replace(/\{(\w+)\}/g, ':$1');
      const handlers = plane.handlers[entity as keyof typeof entities] as unknown as Record<string, AnyHandler>;
      const handle = handlers[name];
      if (!handle) throw new Error(`no handler for ${entity}.${name}`);
      methodsOf.set(url, [...(methodsOf.get(url) ?? []), operation.method]);

      app.route({
        method: operation.method,
        url,
        schema: toSchema(operation),
        ...(operation.bodyLimit === undefined ? {} : { bodyLimit: operation.bodyLimit }),
        async handler(request, reply) {
          const run = (onProgress?: OnProgress) =>
            runOperation(plane.store, {
              operation,
              handle,
              params: request.params,
              query: request.query as Record<string, unknown>,
              body: request.body,
              caller: callerOf(request),
              now: plane.clock.now(),
              ifMatch: headerOf(request, 'if-match'),
              ifNoneMatch: headerOf(request, 'if-none-match'),
              repeatable: repeatableOf(request),
              onProgress,
              addressOf: (query) => addressOf(request, query),
              committed: plane.committed,
            });
          if (operation.progress && wantsProgress(request)) return sendProgress(reply, operation, run);
          const answer = await run();
          reply.code(answer.status).headers(answer.headers);
          if (operation.stream && operation.returns) {
            reply.type(operation.stream);
            if (request.method === 'HEAD') return reply.send(); // what nobody reads is not looked for
            return reply.send(await linesOf(answer.body as AsyncIterable<unknown>, operation.returns));
          }
          return reply.send(answer.body);
        },
      });
    }
  for (const [url, methods] of methodsOf) refuseOtherMethods(app, url, methods);
};

const toSchema = (operation: Operation) => ({
  params: z.object(Object.fromEntries(pathParams(operation.path).map((name) => [name, Id]))),
  querystring: queryOf(operation),
  ...(operation.body ? { body: operation.body } : {}),
  // A rehearsal of a creation answers 200 with what would be created, one of a deletion with what would end.
  ...(operation.rehearsal ? { response: { 200: operation.rehearsal } } : {}),
  ...(operation.returns && !operation.stream
    ? { response: { 200: operation.returns, [successStatus(operation)]: operation.returns } }
    : {}),
});

const callerOf = (request: FastifyRequest): Caller => {
  const { actorId, role, key } = identityOf(request);
  return { actorId, role, key, ip: request.ip, userAgent: request.headers['user-agent'], requestId: request.id };
};

/** Several fields of one name are one list (RFC 9110 §5.2). */
const headerOf = (request: FastifyRequest, name: string): string | undefined => {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
};

const repeatableOf = (request: FastifyRequest) => {
  const key = headerOf(request, 'idempotency-key');
  if (key === undefined) return undefined;
  const asked = JSON.stringify([request.method, request.url, request.body ?? null]);
  return { key, credential: request.headers.authorization ?? '', request: asked };
};

/** A relative reference (RFC 3986 §4.2): under which name and path the caller reached us is not ours to know. */
const addressOf = (request: FastifyRequest, query: Record<string, string>): string => {
  const [path = '', before = ''] = request.url.split('?');
  const parameters = new URLSearchParams(before);
  parameters.delete('offset');
  for (const [name, value] of Object.entries(query)) parameters.set(name, value);
  return `${path}?${parameters}`;
};

/** RFC 9110 §15.5.6: a path that exists says which methods it has. */
const refuseOtherMethods = (app: HttpServer, url: string, methods: readonly HTTPMethods[]): void => {
  const allowed = methods.includes('GET') ? ['HEAD', ...methods] : methods;
  const all: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
  app.route({
    method: all.filter((method) => !allowed.includes(method)),
    url,
    handler: async () => {
      throw new Problem('method_not_allowed', `This path has ${methods.join(', ')}.`, {
        headers: { allow: allowed.join(', ') },
      });
    },
  });
};
