import type { Entities, Operation, OperationOutput, PathParams } from '@authserver/admin-api';
import type { z } from 'zod';

/** Who asks, for the audit trail. */
export type Caller = {
  actorId: string;
  ip: string | undefined;
  userAgent: string | undefined;
  requestId: string | undefined;
};

export type Call = {
  caller: Caller;
  now: Date;
  /** Rows of a list before paging; becomes the header `X-Total-Count`. */
  total: (rows: number | undefined) => void;
};

type Inputs<O extends Operation> = {
  params: { [Name in PathParams<O['path']>]: string };
  query: O extends { query: infer Q extends z.ZodType } ? z.output<Q> : undefined;
  body: O extends { body: infer B extends z.ZodType } ? z.output<B> : undefined;
};

/** Does one operation of the admin API: its inputs are checked already, its answer is what the table says. */
export type Handler<O extends Operation> = (input: Inputs<O> & Call) => Promise<OperationOutput<O>>;

export type HandlersOf<E extends keyof Entities> = {
  [O in keyof Entities[E]['operations']]: Entities[E]['operations'][O] extends infer Op extends Operation
    ? Handler<Op>
    : never;
};

/** One handler for every operation of the table: a row without one does not compile. */
export type Handlers = { [E in keyof Entities]: HandlersOf<E> };
