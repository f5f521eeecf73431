import { type Entities, entities } from './entities.ts';
import {
  type CallOptions,
  type Entity,
  type Operation,
  type OperationInput,
  type OperationOutput,
  pathParams,
} from './entity.ts';

export type AdminRequest = {
  method: Operation['method'];
  /** Encoded, without the query. */
  path: string;
  query?: Record<string, string>;
  /** To be sent as JSON. */
  body?: unknown;
  /** Beside those every transport sends. */
  headers?: Record<string, string>;
};
export type AdminResponse = { status: number; headers?: Record<string, string>; body: unknown };

/** Carries a request to the admin API: over HTTP, or to an application in this process. `body` is parsed JSON. */
export type AdminTransport = (request: AdminRequest) => Promise<AdminResponse>;

/** The admin API said no (RFC 9457). `code` is stable, `detail` is for people. */
export class AdminApiError extends Error {
  override readonly name = 'AdminApiError';
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  constructor(status: number, code: string, detail: string) {
    super(detail);
    this.status = status;
    this.code = code;
    this.detail = detail;
  }
}

type Call<O extends Operation> =
  Record<string, never> extends OperationInput<O>
    ? (input?: OperationInput<O>) => Promise<OperationOutput<O>>
    : (input: OperationInput<O>) => Promise<OperationOutput<O>>;

/** `admin.client.update({ id, body })`: a method an operation, typed from the table. */
export type AdminClient = {
  [E in keyof Entities]: {
    [O in keyof Entities[E]['operations']]: Entities[E]['operations'][O] extends infer Op extends Operation
      ? Call<Op>
      : never;
  };
};

/** Answers are passed on as they came: a newer server may say more than this client knows. */
export const createAdminClient = ({ transport }: { transport: AdminTransport }): AdminClient => {
  const methods = (entity: Entity) =>
    Object.fromEntries(
      Object.entries(entity.operations).map(([name, operation]) => [
        name,
        async (input: Record<string, unknown> = {}) => {
          const response = await transport(toRequest(operation, input));
          if (response.status < 200 || response.status > 299) throw toError(response);
          return response.status === 204 ? undefined : response.body;
        },
      ]),
    );
  return Object.fromEntries(
    Object.entries(entities).map(([name, entity]) => [name, methods(entity)]),
  ) as unknown as AdminClient;
};

/** The request of an operation. @throws {TypeError} when a path parameter is missing or empty */
export const toRequest = (operation: Operation, input: Record<string, unknown>): AdminRequest => {
  let path = operation.path;
  for (const name of pathParams(path)) {
    const value = input[name];
    if (typeof value !== 'string' || value === '') throw new TypeError(`${name} is required`);
    // A dot segment would be resolved away by the URL parser of the transport.
    if (value === '.' || value === '..') throw new TypeError(`${name} is not valid`);
    path = path.replace(`{${name}}`, () => encodeURIComponent(value));
  }
  const query = Object.entries((input.query as Record<string, unknown> | undefined) ?? {})
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, String(value)]);
  return {
    method: operation.method,
    path,
    ...(query.length > 0 ? { query: Object.fromEntries(query) } : {}),
    ...(input.body === undefined ? {} : { body: input.body }),
    ...optionalHeaders(input as CallOptions),
  };
};

const optionalHeaders = ({ ifMatch, idempotencyKey }: CallOptions): Pick<AdminRequest, 'headers'> => {
  const headers = {
    ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
    ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
  };
  return Object.keys(headers).length > 0 ? { headers } : {};
};

const toError = ({ status, body }: AdminResponse): AdminApiError => {
  const problem = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
  return new AdminApiError(
    status,
    text(problem.code) ?? 'unexpected_answer',
    text(problem.detail) ?? `the admin API answered ${status}`,
  );
};
