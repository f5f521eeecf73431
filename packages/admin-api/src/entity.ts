import type { AuditAction } from '@authserver/telemetry';
import type { z } from 'zod';

/** One thing an operator can do: one route, one method of the client, one command. */
export type Operation = {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** `{name}` stands for a path parameter. */
  path: string;
  summary: string;
  query?: z.ZodObject;
  body?: z.ZodType;
  /** The body of the answer. Without it the answer is 204. */
  returns?: z.ZodType;
  /** 200 unless something was created. */
  status?: 201;
  /** What the change is called in the audit trail; whatever is not a GET names one. */
  audit?: AuditAction | readonly AuditAction[];
};

export type Entity = { title: string; operations: Record<string, Operation> };

/** The names in the braces of a path. */
export type PathParams<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathParams<Rest>
  : never;

export const pathParams = (path: string): string[] => [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');

/** What a caller gives: path parameters by name, beside `query` and `body`. */
export type OperationInput<O extends Operation> = { [Name in PathParams<O['path']>]: string } & (O extends {
  query: infer Q extends z.ZodType;
}
  ? { query?: z.input<Q> }
  : unknown) &
  (O extends { body: infer B extends z.ZodType }
    ? undefined extends z.input<B>
      ? { body?: z.input<B> }
      : { body: z.input<B> }
    : unknown);

/** What a caller gets. */
export type OperationOutput<O extends Operation> = O extends { returns: infer R extends z.ZodType }
  ? z.output<R>
  : // biome-ignore lint/suspicious/noConfusingVoidType: the result of a promise of nothing
    void;

export const successStatus = (operation: Operation): 200 | 201 | 204 =>
  operation.status ?? (operation.returns ? 200 : 204);
