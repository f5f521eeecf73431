import type { DeclarationKind, DeclarationList, Operation } from '@authserver/admin-api';
import type { Repositories } from '@authserver/store';
import type { z } from 'zod';
import type { Call } from '../handlers/handler.ts';

/** An object as files declare it, with its defaults filled in. */
export type Declaration = Readonly<Record<string, unknown>>;

/** An object that is there. */
export type Found = {
  /** What files call it. */
  key: string;
  /** Tells it from another that came to bear the same name. */
  identity: string;
  /** What the operations on it take as path parameters. */
  params: Record<string, string>;
  /** As files would declare it. */
  declaration: Declaration;
  /** Why it is not for files to declare. */
  refusal?: string | undefined;
  /** Whether a secret is one of those it has. */
  hasSecret?: (secret: string) => boolean | Promise<boolean>;
  /** What an export of it leaves out; a sentence without its subject. */
  leavesOut?: string | undefined;
};

/** What a declaration names in another: under which member, what, and whether that may be missing. */
export type Reference = { member: string; kind: DeclarationKind; key: string };

export type Created = { identity: string; secret?: string | undefined };

/** How objects of one kind are found and made to be as declared: by the handlers of the single operations. */
export type Kind = {
  name: DeclarationKind;
  list: DeclarationList;
  schema: z.ZodObject;
  /** As the server would keep it, so that one that says the same in other words is no change. */
  normal?: (declaration: Declaration) => Declaration;
  /** What a declaration is called, in itself and by others. */
  keyOf(declaration: Declaration): string;
  references(declaration: Declaration): Reference[];
  /** Members that are left alone when a declaration does not mention them. */
  optional: readonly string[];
  /** Members that can be changed once the object is there. */
  changeable: readonly string[];
  /** Why a change of these members is not possible, beside that; a sentence. */
  obstacle?: (wanted: Declaration, members: readonly string[]) => string | undefined;
  /** The operations it goes through, for what they need of a role. */
  operations: { create: Operation; change: Operation; delete: Operation };
  /** Whether whoever touches an object like this has to be an owner, whatever the operation needs. */
  needsOwner?: (declaration: Declaration) => boolean;
  /** Deleted before anything is made, because nothing else hangs on it; the others when all is made. */
  deletedFirst: boolean;
  /** A creation or change may have to wait for another: a scope goes when no link maps it any more. */
  retried?: boolean;
  find(store: Repositories, names: { keys: readonly string[]; identities: readonly string[] }): Promise<Found[]>;
  /** Everything that files could declare, some at a time. */
  pages(store: Repositories): AsyncIterable<Found[]>;
  create(call: Call, wanted: Declaration): Promise<Created>;
  /** `members` are those that change. */
  change(call: Call, found: Found, wanted: Declaration, members: readonly string[]): Promise<void>;
  delete(call: Call, found: Found, options: { force: boolean }): Promise<void>;
};

/** The members of a declaration that an operation takes. */
export const pick = (declaration: Declaration, members: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(members.filter((member) => member in declaration).map((member) => [member, declaration[member]]));

/** How many rows are read at a time. */
export const pageSize = 500;

/** Reads on, from the last of what was read, until there is no more. */
export async function* pagesOf<Row>(read: (last: Row | undefined) => Promise<Row[]>): AsyncGenerator<Row[]> {
  let last: Row | undefined;
  do {
    const rows = await read(last);
    last = rows.length < pageSize ? undefined : rows.at(-1);
    if (rows.length > 0) yield rows;
  } while (last !== undefined);
}
