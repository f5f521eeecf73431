import { entities, Id, type Operation, pathParams, successStatus } from '@authserver/admin-api';
import { type HttpServer, Problem } from '@authserver/http';
import type { FastifyRequest, HTTPMethods } from 'fastify';
import { z } from 'zod';
import type { AdminPlane } from '../deps.ts';
import type { Call, Caller } from '../handlers/handler.ts';

/** A handler as the loop over the table sees it; that it fits its row is checked where the handlers are made. */
type AnyHandler = (input: Call & { params: unknown; query: unknown; body: unknown }) => Promise<unknown>;

/** Every operation of every entity of the admin API, as a route. */
export const entityRoutes = (app: HttpServer, plane: Pick<AdminPlane, 'handlers' | 'clock' | 'actor'>): void => {
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
        async handler(request, reply) {
          const answer = await handle({
            params: request.params,
            query: request.query,
            body: request.body,
            caller: callerOf(request, plane.actor),
            now: plane.clock.now(),
            total: (rows) => {
              if (rows !== undefined) reply.header('x-total-count', rows);
            },
          });
          return reply.code(successStatus(operation)).send(answer);
        },
      });
    }
  for (const [url, methods] of methodsOf) refuseOtherMethods(app, url, methods);
};

const toSchema = (operation: Operation) => ({
  params: z.object(Object.fromEntries(pathParams(operation.path).map((name) => [name, Id]))),
  querystring: operation.query ?? z.strictObject({}),
  ...(operation.body ? { body: operation.body } : {}),
  ...(operation.returns ? { response: { [successStatus(operation)]: operation.returns } } : {}),
});

const callerOf = (request: FastifyRequest, actorId: string): Caller => ({
  actorId,
  ip: request.ip,
  userAgent: request.headers['user-agent'],
  requestId: request.id,
});

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
