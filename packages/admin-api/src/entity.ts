import type { AuditAction } from '@authserver/telemetry';
import { z } from 'zod';
import { QueryFlag } from './views/fields.ts';

/** What an admin key may do, weakest first; each may do what those before it may. */
export const adminRoles = ['viewer', 'operator', 'owner'] as const;
export type AdminRole = (typeof adminRoles)[number];

/** One thing an operator can do: one route, one method of the client, one command. */
export type Operation = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** `{name}` stands for a path parameter. */
  path: string;
  summary: string;
  query?: z.ZodObject;
  body?: z.ZodType;
  /** The body of the answer. Without it the answer is 204. */
  returns?: z.ZodType;
  /** The answer is as many lines as there are, each of which `returns` describes; they are sent as they are found. */
  stream?: 'application/x-ndjson';
  /** What a dry run shows of a change that has nothing to show once it is done. */
  rehearsal?: z.ZodType;
  /** 200 unless something was created. */
  status?: 201;
  /** What the change is called in the audit trail; whatever is not a GET names one. */
  audit?: AuditAction | readonly AuditAction[];
  /** Who may do it, when that is not what `roleOf` says of its method. */
  role?: AdminRole;
  /** A POST that changes nothing: its question does not fit into an address. */
  looks?: true;
  /** Bytes its body may have, when a megabyte is not enough. */
  bodyLimit?: number;
  /** It may take long, and says how far it is to a caller who accepts `application/x-ndjson`. */
  progress?: true;
  /** It commits as it goes, so that it can be broken off and begun again; it is audited when it begins. */
  inParts?: true;
  /** The member of the answer that is shown this once. */
  secret?: string;
};

export type Entity = { title: string; operations: Record<string, Operation> };

/** A look needs a viewer, a change an operator, unless the operation says otherwise. */
export const roleOf = (operation: Operation): AdminRole =>
  operation.role ?? (isChange(operation) ? 'operator' : 'viewer');

export const isChange = ({ method, looks }: Pick<Operation, 'method' | 'looks'>): boolean =>
  method !== 'GET' && looks !== true;

const DryRun = z.strictObject({
  dry_run: QueryFlag.describe('Check everything and answer as if it were done, but change nothing.'),
});

/** The query an operation takes: its own, and `dry_run` for a change. */
export const queryOf = (operation: Operation): z.ZodObject => {
  const own = operation.query ?? z.strictObject({});
  return isChange(operation) ? own.extend(DryRun.shape) : own;
};

/** The names in the braces of a path. */
export type PathParams<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathParams<Rest>
  : never;

export const pathParams = (path: string): string[] => [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');

type QueryInput<O extends Operation> = (O extends { query: infer Q extends z.ZodType } ? z.input<Q> : unknown) &
  (O['method'] extends 'GET' ? unknown : z.input<typeof DryRun>);

/** What a caller may say beside the operation itself; becomes headers. */
export type CallOptions = {
  /** `ETag` of what was read: the change is refused when it is not that any more (RFC 9110 §13.1.1). */
  ifMatch?: string;
  /** A repetition with the same key gets the answer of the first call and does nothing. */
  idempotencyKey?: string;
  /** Told how far an operation is that may take long. */
  onProgress?: OnProgress;
};

export type OnProgress = (progress: { done: number; total: number }) => void;

/** What a caller gives: path parameters by name, beside `query` and `body`. */
export type OperationInput<O extends Operation> = {
  [Name in PathParams<O['path']>]: string;
} & (unknown extends QueryInput<O> ? unknown : { query?: QueryInput<O> }) &
  (O extends { body: infer B extends z.ZodType }
    ? undefined extends z.input<B>
      ? { body?: z.input<B> }
      : { body: z.input<B> }
    : unknown) &
  (O['method'] extends 'GET' ? unknown : CallOptions);

/** What a caller gets. */
export type OperationOutput<O extends Operation> = O extends { returns: infer R extends z.ZodType }
  ? O extends { stream: string }
    ? AsyncIterable<z.output<R>>
    : z.output<R>
  : O extends { rehearsal: infer R extends z.ZodType }
    ? z.output<R> | undefined
    : // biome-ignore lint/suspicious/noConfusingVoidType: the result of a promise of nothing
      void;

export const successStatus = (operation: Operation): 200 | 201 | 204 =>
  operation.status ?? (operation.returns ? 200 : 204);

/** The status of a dry run that would have succeeded. */
export const rehearsalStatus = (operation: Operation): 200 | 204 =>
  operation.returns || operation.rehearsal ? 200 : 204;
