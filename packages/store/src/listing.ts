import { type Page, type Paged, type Queryable, type Row, toPaged } from './db.ts';

/** Conditions that all have to hold, with the values they speak of. */
export type Conditions = {
  /** The parameter that stands for a value. */
  value(given: unknown): string;
  /** Adds a condition. What is given to it, it has from `value`: nothing of a caller's becomes part of a statement. */
  require(condition: string): void;
  /** `where …`, or nothing. */
  where(): string;
  values: readonly unknown[];
};

export const conditions = (): Conditions => {
  const values: unknown[] = [];
  const all: string[] = [];
  return {
    value: (given) => `$${values.push(given)}`,
    require: (condition) => void all.push(condition),
    where: () => (all.length === 0 ? '' : `where ${all.join(' and ')}`),
    values,
  };
};

/**
 * That `haystack`, an expression with an index over its trigrams, contains `part` in any case of letters. Every character
 * of the part stands for itself.
 */
export const requireText = (haystack: string, part: string, matching: Conditions): void => {
  const needle = `lower(${matching.value(part)}::text)`;
  // A short part has no trigrams: the index would find everything, the long way round.
  if (Buffer.byteLength(part) >= 3) matching.require(`search_trigrams(${haystack}) @> search_trigrams(${needle})`);
  matching.require(`strpos(${haystack}, ${needle}) > 0`);
};

/** As many are counted as `offset` can skip; beyond that a list does not say how many there are. */
export const mostCounted = 100_000;
/** The same of a search for a text, where each row that is counted has to be looked at. */
export const mostFound = 500;

/** Which rows there are at all. */
export type Listed = {
  /** Names the statement in metrics; that of the count has `_count` behind it. */
  operation: string;
  table: string;
  /** Adds what was asked for. Called for the page and for the count. */
  filter: (matching: Conditions) => void;
  /** How many are counted at most. */
  most?: number | undefined;
};

export type Listing<T> = Listed & {
  columns: string;
  /** The order, which an index has, and the condition for what stands behind a position in it. */
  order: string;
  behind: (position: string, matching: Conditions) => string;
  positionOf: (last: Row) => string;
  toItem: (row: Row) => T;
};

/**
 * One page of a list. The statement is made of the filters that were given and planned for their values: one statement
 * for all filters would get one plan, which is right for none of them.
 *
 * How many there are is only counted for those who page by offset, in a statement of its own that an index answers, and
 * not at all when the page shows it.
 */
export const readPage = async <T>(db: Queryable, listing: Listing<T>, page: Page): Promise<Paged<T>> => {
  const { operation, table, columns, order } = listing;
  const matching = conditions();
  listing.filter(matching);
  if (page.after !== undefined) matching.require(listing.behind(page.after, matching));
  const [limit, offset] = [matching.value(page.limit + 1), matching.value(page.offset)];
  const text = `select ${columns} from ${table} ${matching.where()} order by ${order} limit ${limit} offset ${offset}`;
  const { rows } = await db.query(operation, text, matching.values, { planned: 'anew' });
  const total = page.after === undefined ? await totalOf(db, listing, page, rows.length) : undefined;
  const paged = toPaged(rows, page, { positionOf: listing.positionOf, total });
  return { ...paged, rows: paged.rows.map(listing.toItem) };
};

const totalOf = async (
  db: Queryable,
  { operation, table, filter, most }: Listed,
  page: Page,
  read: number,
): Promise<number | undefined> => {
  const isEnd = read <= page.limit && (read > 0 || page.offset === 0);
  return isEnd ? page.offset + read : countUpTo(db, { operation: `${operation}_count`, table, filter, most });
};

/** How many there are, or `undefined` when they are more than `most`. */
export const countUpTo = async (
  db: Queryable,
  { operation, table, filter, most = mostCounted }: Listed,
): Promise<number | undefined> => {
  const matching = conditions();
  filter(matching);
  const limit = matching.value(most + 1);
  const { rows } = await db.query<{ n: number }>(
    operation,
    `select count(*)::int as n from (select 1 from ${table} ${matching.where()} limit ${limit}) as counted`,
    matching.values,
    { planned: 'anew' },
  );
  const n = rows[0]?.n ?? 0;
  return n > most ? undefined : n;
};
