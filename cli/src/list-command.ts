/**
 * Commands that list. They share `--limit`, `--offset`, `--cursor` and `--all`, which follows the list to its end and
 * prints each page when it comes: a million lines need no more memory than a hundred.
 */
import { type AdminClient, turnPage } from '@authserver/admin-api';
import { Flags, type Interfaces } from '@oclif/core';
import { adminCommand } from './admin-command.ts';
import { present } from './flags.ts';
import type { OperationId } from './operations.ts';
import { rows, type Value } from './output.ts';
import { renderResult } from './presentation.ts';
import { idsOf } from './result-ids.ts';

type Input = { id?: string; query?: object };

type ListDefinition<F extends Interfaces.FlagInput, Answer, Item> = {
  summary: string;
  description?: string;
  examples: [string, ...string[]];
  operations: readonly OperationId[];
  flags: F;
  /** Rows at most, unless the command says. */
  limit: number;
  /** Rows of a page with `--all`: the most the operation gives. */
  most: number;
  /** False for a list that has no offset. */
  offset?: boolean;
  list(api: AdminClient): (input: never) => Promise<Answer>;
  /** What is asked for beside the page. */
  input(flags: Interfaces.InferredFlags<F>, api: AdminClient): Input | Promise<Input>;
  items(answer: Answer): readonly Item[];
  values(item: Item): Record<string, Value>;
  /** The name of an item for `--quiet`, when it is not the first id in it. */
  idOf?(item: Item): string;
  /** What stands before the first line. */
  heading?(answer: Answer, all: boolean): string;
  none: string;
  /** Why a list may be empty, for somebody who mistyped an id. Goes to standard error. */
  whyEmpty?(api: AdminClient, flags: Interfaces.InferredFlags<F>): Promise<string | undefined>;
};

type PagingFlags = { limit?: number; offset?: number; cursor?: string; all: boolean };

const pagingFlags = ({ limit, most, offset = true }: { limit: number; most: number; offset?: boolean }) => ({
  limit: Flags.integer({
    description: `rows at most, ${limit} when not given; with --all rows of a page`,
    min: 1,
    max: most,
    helpValue: '<n>',
  }),
  ...(offset ? { offset: Flags.integer({ description: 'rows to skip', min: 0, helpValue: '<n>' }) } : {}),
  cursor: Flags.string({ description: 'where to go on, as the page before said', helpValue: '<cursor>' }),
  all: Flags.boolean({ description: 'everything, page by page; with --json one array of all rows' }),
});

/** Makes the class of a command that lists. */
export const listCommand = <F extends Interfaces.FlagInput, Answer, Item>(
  definition: ListDefinition<F, Answer, Item>,
) => {
  const { summary, description, examples, operations, limit, most } = definition;
  const Listing = adminCommand({
    ...{ summary, examples, operations, ...(description === undefined ? {} : { description }) },
    flags: { ...definition.flags, ...pagingFlags(definition) } as F,
    call: async (api, flags) => definition.list(api)((await definition.input(flags, api)) as never),
    show: (answer) => rows(definition.items(answer), definition.none, definition.values),
  });

  return class extends Listing {
    protected override async perform(api: AdminClient, parsed: Record<string, unknown>): Promise<Answer> {
      const paging = parsed as unknown as PagingFlags;
      const flags = parsed as Interfaces.InferredFlags<F>;
      const input = await definition.input(flags, api);
      const size = paging.limit ?? (paging.all ? most : limit);
      const page = present({ limit: size, offset: paging.offset, cursor: paging.cursor });
      // `input` makes what the operation takes; that the two fit is said where the command is made.
      const method = definition.list(api) as (input: Input) => Promise<Answer>;
      const asked = { ...input, query: { ...input.query, ...page } };
      let turned = await turnPage(method, asked);
      const remark = definition.items(turned.body).length === 0 ? await definition.whyEmpty?.(api, flags) : undefined;
      if (remark !== undefined) process.stderr.write(`${remark}\n`);
      if (!paging.all) {
        if (!this.jsonEnabled()) this.#print(turned.body, parsed, true);
        if (turned.next && parsed.quiet !== true)
          process.stderr.write(`there is more: go on with --cursor ${turned.next.query.cursor}, or list --all\n`);
        return turned.body;
      }
      // Whoever reads us may have seen enough.
      let isRead = true;
      process.stdout.once('error', () => {
        isRead = false;
      });
      const array = this.jsonEnabled() ? jsonArray((text) => process.stdout.write(text)) : undefined;
      for (let first = true; ; first = false) {
        if (array) for (const item of definition.items(turned.body)) array.add(item);
        else this.#print(turned.body, parsed, first);
        if (!turned.next || !isRead) break;
        turned = await turnPage(method, turned.next);
      }
      array?.end();
      // Printed already: what is returned would be printed once more.
      return undefined as Answer;
    }

    #print(answer: Answer, { quiet, output, all }: Record<string, unknown>, isFirst: boolean): void {
      const items = definition.items(answer);
      const { isTTY, columns } = process.stdout;
      const lines = renderResult({
        result: items.map((item) => ({ id: definition.idOf?.(item) ?? idsOf(item)[0] ?? '' })),
        lines: () => [
          ...(isFirst && definition.heading ? [definition.heading(answer, all === true)] : []),
          ...(items.length === 0 && (definition.heading || !isFirst)
            ? []
            : rows(items, definition.none, definition.values)),
        ],
        ...{ summary, operations, quiet: quiet === true },
        ...{ id: undefined, rehearsal: false, etag: undefined },
        table: output === 'table' ? { ...(isTTY && columns ? { columns } : {}), single: false } : undefined,
      });
      for (const line of lines) this.log('%s', line);
    }
  };
};

/** A JSON array, written item by item. */
const jsonArray = (write: (text: string) => unknown) => {
  let begun = false;
  return {
    add(item: unknown) {
      write(`${begun ? ',' : '['}\n  ${JSON.stringify(item)}`);
      begun = true;
    },
    end: () => write(begun ? '\n]\n' : '[]\n'),
  };
};
