import type { AdminResponse } from './client.ts';

type Input = { query?: object };
type Turned = { body: unknown; cursor: string | undefined };

/** How the methods of a client turn pages. */
const turning = new WeakMap<object, (input: Input) => Promise<Turned>>();

/** Says how a method of a client sends its request, so that `pages` can use it. */
export const turnsPages = (method: object, send: (input: Input) => Promise<AdminResponse>): void => {
  turning.set(method, async (input) => {
    const { headers, body } = await send(input);
    if (!headers) throw new TypeError('the transport gives no headers, so there is no way to the next page');
    return { body, cursor: nextCursor(headers.link) };
  });
};

type List<I extends Input, R> = ((input: I) => Promise<R>) | ((input?: I) => Promise<R>);

/** What asks for the page after this one. */
export type NextPage<I> = Omit<I, 'query'> & { query: { cursor: string } };

/** One page of a list, and how to ask for the next; absent on the last. */
export const turnPage = async <I extends Input, R>(
  list: List<I, R>,
  input?: I | NextPage<I>,
): Promise<{ body: R; next: NextPage<I> | undefined }> => {
  const turn = turning.get(list);
  if (!turn) throw new TypeError('pages are turned by a method of a client');
  const { body, cursor } = await turn(input ?? {});
  // The way on counts from the page before: what was skipped to get there is behind us.
  const { offset: _, ...query } = (input?.query ?? {}) as Record<string, unknown>;
  const next = cursor === undefined ? undefined : ({ ...input, query: { ...query, cursor } } as NextPage<I>);
  return { body: body as R, next };
};

/**
 * The pages of a list, each when it is asked for: `for await (const users of pages(admin.user.list, { query }))`. `limit`
 * in the query is the size of a page. Rows that come and go meanwhile neither repeat others nor hide them.
 */
export async function* pages<I extends Input, R>(list: List<I, R>, input?: I): AsyncGenerator<R, void> {
  for (let asked: I | NextPage<I> | undefined = input; ; ) {
    const { body, next }: { body: R; next: NextPage<I> | undefined } = await turnPage(list, asked);
    yield body;
    if (!next) return;
    asked = next;
  }
}

/** The cursor in a `Link` to the next page (RFC 8288). */
export const nextCursor = (link: string | undefined): string | undefined => {
  const [, address] = /<([^>]*)>\s*;\s*rel="?next"?(?:[\s;,]|$)/.exec(link ?? '') ?? [];
  return address === undefined
    ? undefined
    : (URL.parse(address, 'http://list')?.searchParams.get('cursor') ?? undefined);
};
