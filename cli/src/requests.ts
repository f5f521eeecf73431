/** What the flags of every command add to the requests of one, and what its answers say beside their bodies. */
import type { AdminClient, AdminRequest, AdminTransport } from '@authserver/admin-api';
import type { OperationId } from './operations.ts';

export type RequestOptions = { dryRun: boolean; ifMatch: string | undefined };

/** A change says that it is a rehearsal, and which version it is about. */
export const withOptions =
  (send: AdminTransport, { dryRun, ifMatch }: RequestOptions): AdminTransport =>
  (request) =>
    send(request.method === 'GET' || request.looks ? request : change(request, dryRun, ifMatch));

const change = (request: AdminRequest, dryRun: boolean, ifMatch: string | undefined): AdminRequest => ({
  ...request,
  ...(dryRun ? { query: { ...request.query, dry_run: 'true' } } : {}),
  ...(ifMatch === undefined ? {} : { headers: { ...request.headers, 'if-match': toEntityTag(ifMatch) } }),
});

/** `3` will do for `"3"`, which no shell would leave alone (RFC 9110 §8.8.3). */
const toEntityTag = (text: string): string => (/^[\w-]+$/.test(text) ? `"${text}"` : text);

/** The version that was shown last, as `--if-match` takes it. */
export const watchEtag = (send: AdminTransport): { send: AdminTransport; etag(): string | undefined } => {
  let etag: string | undefined;
  return {
    async send(request) {
      const response = await send(request);
      etag = request.method === 'GET' ? response.headers?.etag?.replace(/^"(.*)"$/, '$1') : undefined;
      return response;
    },
    etag: () => etag,
  };
};

/**
 * A client of these operations and no others: what a command says of itself, its flags and its documentation are made
 * from, so it may not do more than it says.
 */
export const only = (api: AdminClient, operations: readonly OperationId[], command: string): AdminClient => {
  const allowed = new Set<string>(operations);
  const methodsOf = (entity: string, methods: Record<string, unknown>) =>
    Object.fromEntries(
      Object.entries(methods).map(([verb, method]) => {
        const id = `${entity}.${verb}`;
        const refuse = () => {
          throw new Error(`the command ${command} uses ${id} without saying so in its \`operations\``);
        };
        return [verb, allowed.has(id) ? method : refuse];
      }),
    );
  return Object.fromEntries(
    Object.entries(api).map(([entity, methods]) => [entity, methodsOf(entity, methods)]),
  ) as unknown as AdminClient;
};
