import { type Entities, entities } from './entities.ts';
import {
  type CallOptions,
  type Entity,
  type OnProgress,
  type Operation,
  type OperationInput,
  type OperationOutput,
  pathParams,
} from './entity.ts';
import { turnsPages } from './pages.ts';

export type AdminRequest = {
  method: Operation['method'];
  /** Encoded, without the query. */
  path: string;
  query?: Record<string, string>;
  /** To be sent as JSON. */
  body?: unknown;
  /** Beside those every transport sends. */
  headers?: Record<string, string>;
  /** A POST that changes nothing. */
  looks?: true;
  /** A success is wanted as it comes, in `chunks`: it may be longer than memory. */
  stream?: true;
};
export type AdminResponse = {
  status: number;
  headers?: Record<string, string>;
  body: unknown;
  chunks?: AsyncIterable<Uint8Array>;
};

/** Carries a request to the admin API: over HTTP, or to an application in this process. `body` is parsed JSON. */
export type AdminTransport = (request: AdminRequest) => Promise<AdminResponse>;

/** The admin API said no (RFC 9457). `code` is stable, `detail` is for people. */
export class AdminApiError extends Error {
  override readonly name = 'AdminApiError';
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  /** All of what it said. */
  readonly problem: Readonly<Record<string, unknown>>;
  constructor(status: number, code: string, detail: string, problem: Readonly<Record<string, unknown>> = {}) {
    super(detail);
    this.problem = problem;
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
      Object.entries(entity.operations).map(([name, operation]) => {
        const send = async (input: Record<string, unknown>): Promise<AdminResponse> => {
          const response = await transport(toRequest(operation, input));
          if (response.status < 200 || response.status > 299) throw toError(response);
          return response;
        };
        const method = async (input: Record<string, unknown> = {}) => {
          const response = await send(input);
          if (operation.stream) return linesOf(response.chunks);
          if (response.chunks) return watch(response, input as CallOptions);
          return response.status === 204 ? undefined : response.body;
        };
        turnsPages(method, (input) => send(input as Record<string, unknown>));
        return [name, method];
      }),
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
    ...(operation.looks ? { looks: true as const } : {}),
    ...(operation.stream || isWatched(operation, input) ? { stream: true as const } : {}),
    ...optionalHeaders(input as CallOptions, isWatched(operation, input)),
  };
};

const isWatched = ({ progress }: Operation, { onProgress }: CallOptions): boolean =>
  progress === true && onProgress !== undefined;

const optionalHeaders = ({ ifMatch, idempotencyKey }: CallOptions, watched: boolean): Pick<AdminRequest, 'headers'> => {
  const headers = {
    ...(watched ? { accept: 'application/x-ndjson, application/json' } : {}),
    ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
    ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
  };
  return Object.keys(headers).length > 0 ? { headers } : {};
};

/** The lines of an answer, each as soon as it is complete. @throws {Error} when the answer breaks off */
const linesOf = async function* (chunks: AsyncIterable<Uint8Array> | undefined): AsyncGenerator<unknown> {
  if (!chunks) throw new TypeError('the transport cannot give an answer as it comes');
  const decoder = new TextDecoder();
  let begun = '';
  for await (const chunk of chunks) {
    const lines = (begun + decoder.decode(chunk, { stream: true })).split('\n');
    begun = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line);
  }
  if (begun !== '') throw new Error('the answer of the admin API broke off');
};

/** The answer of an operation that says how far it is, unless it was done before there was anything to say. */
const watch = async (response: AdminResponse, { onProgress }: CallOptions): Promise<unknown> => {
  const { chunks, headers } = response;
  if (!headers?.['content-type']?.startsWith('application/x-ndjson')) return readJson(chunks);
  for await (const line of linesOf(chunks)) {
    const { progress, problem, result } = line as Record<'progress' | 'problem' | 'result', unknown>;
    if (progress !== undefined) onProgress?.(progress as Parameters<OnProgress>[0]);
    else if (problem === undefined) return result;
    else throw toError({ status: Number((problem as { status: unknown }).status), body: problem });
  }
  throw new Error('the answer of the admin API broke off');
};

const readJson = async (chunks: AsyncIterable<Uint8Array> | undefined): Promise<unknown> => {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of chunks ?? []) text += decoder.decode(chunk, { stream: true });
  return text === '' ? undefined : JSON.parse(text);
};

const toError = ({ status, body }: AdminResponse): AdminApiError => {
  const problem = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
  return new AdminApiError(
    status,
    text(problem.code) ?? 'unexpected_answer',
    text(problem.detail) ?? `the admin API answered ${status}`,
    problem,
  );
};
