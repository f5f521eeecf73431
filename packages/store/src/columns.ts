/**
 * What a shared statement is given: a column of values for each thing it asks of an item, as an array in the binary form
 * of PostgreSQL. Numbers, times, UUIDs and bytes then travel as they are kept, and neither side writes or reads text.
 */

/** A value of every item, and how it is written. `null` and `undefined` are null. */
export type Column<Item> = { type: Type<unknown>; pick: (item: Item) => unknown };

/** A type of PostgreSQL's by its number (`pg_type.oid`); `write` returns the bytes it wrote at `at` of `scratch`. */
type Type<Value> = { oid: number; write: (value: Value, at: number) => number };

/** All arrays are written here first; what is sent is a copy of the right length. */
let scratch = Buffer.allocUnsafeSlow(16 * 1024);

const makeRoom = (end: number): void => {
  if (end <= scratch.length) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(end, scratch.length * 2));
  scratch.copy(larger);
  scratch = larger;
};

const column =
  <Value>(type: Type<Value>) =>
  <Item>(pick: (item: Item) => Value | null | undefined): Column<Item> => ({ type: type as Type<unknown>, pick });

const writeText = (value: string, at: number): number => {
  makeRoom(at + value.length * 3); // a character becomes three bytes at most
  return scratch.write(value, at, 'utf8');
};

/** Hexadecimal digits by their character code; others are -1. */
const digits = new Int8Array(128).fill(-1);
for (const [value, pair] of [...'0123456789']
  .map((one) => [one, one])
  .concat([...'abcdef'].map((one) => [one, one.toUpperCase()]))
  .entries())
  for (const one of pair) digits[one.charCodeAt(0)] = value;

const writeUuid = (value: string, at: number): number => {
  makeRoom(at + 16);
  let written = 0;
  let high = -1;
  for (let index = 0; index < value.length; index += 1) {
    const code = value.charCodeAt(index);
    if (code === 45) continue; // a hyphen
    const digit = code < 128 ? (digits[code] as number) : -1;
    if (digit < 0 || written === 16) throw new TypeError('a UUID is malformed');
    if (high < 0) high = digit;
    else {
      scratch[at + written] = (high << 4) | digit;
      written += 1;
      high = -1;
    }
  }
  if (written !== 16 || high >= 0) throw new TypeError('a UUID is malformed');
  return 16;
};

/** Microseconds since 2000, in 64 bits: two halves, because they fit into a number but not into 32 bits. */
const writeTime = (value: Date, at: number): number => {
  const microseconds = (value.getTime() - Date.UTC(2000, 0)) * 1000;
  if (!Number.isSafeInteger(microseconds)) throw new TypeError('a time is out of range');
  makeRoom(at + 8);
  scratch.writeInt32BE(Math.floor(microseconds / 2 ** 32), at);
  scratch.writeUInt32BE(microseconds >>> 0, at + 4);
  return 8;
};

export const bool = column<boolean>({
  oid: 16,
  write: (value, at) => {
    makeRoom(at + 1);
    return scratch.writeUInt8(value ? 1 : 0, at) - at;
  },
});
export const bytea = column<Buffer>({
  oid: 17,
  write: (value, at) => {
    makeRoom(at + value.length);
    return value.copy(scratch, at);
  },
});
export const integer = column<number>({
  oid: 23,
  write: (value, at) => {
    makeRoom(at + 4);
    return scratch.writeInt32BE(value, at) - at;
  },
});
export const text = column<string>({ oid: 25, write: writeText });
export const timestamptz = column<Date>({ oid: 1184, write: writeTime });
export const uuid = column<string>({ oid: 2950, write: writeUuid });
/** JSON that is text already. */
export const jsonb = column<string>({
  oid: 3802,
  write: (value, at) => {
    makeRoom(at + 1);
    scratch[at] = 1; // the version of the form
    return 1 + writeText(value, at + 1);
  },
});

/** The arrays `unnest` reads, one a column, with a value of each item. */
export const columnsOf = <Item>(items: readonly Item[], ...columns: readonly Column<NoInfer<Item>>[]): Buffer[] =>
  columns.map((one) => toArray(items, one));

const headLength = 20;

/** `array_send` of PostgreSQL: dimensions, whether there are nulls, type, length, lower bound; then each value by its length. */
const toArray = <Item>(items: readonly Item[], { type, pick }: Column<Item>): Buffer => {
  let at = headLength;
  let hasNull = 0;
  for (const item of items) {
    const value = pick(item);
    makeRoom(at + 4);
    const length = value === null || value === undefined ? -1 : type.write(value, at + 4);
    scratch.writeInt32BE(length, at);
    if (length < 0) hasNull = 1;
    at += 4 + Math.max(0, length);
  }
  scratch.writeInt32BE(1, 0);
  scratch.writeInt32BE(hasNull, 4);
  scratch.writeInt32BE(type.oid, 8);
  scratch.writeInt32BE(items.length, 12);
  scratch.writeInt32BE(1, 16);
  return Buffer.from(scratch.subarray(0, at));
};
