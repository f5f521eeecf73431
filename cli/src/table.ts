/** The same output for people with a terminal: lines of pairs become columns. */
import stringWidth from 'string-width';
import { cut } from './cut.ts';

/** A line of `key=value` pairs with the values as `output.ts` wrote them, or undefined when it is no such line. */
export const readPairs = (line: string): Map<string, string> | undefined => {
  const found = new Map<string, string>();
  const pair = /(?:^| )([A-Za-z][\w.-]*)=("(?:[^"\\]|\\.)*"|\[(?:"(?:[^"\\]|\\.)*"|[^\]"])*\]|[^\s"]*)(?= |$)/gy;
  while (pair.lastIndex < line.length) {
    const match = pair.exec(line);
    if (!match) return undefined;
    found.set(match[1] as string, match[2] as string);
  }
  return found.size > 0 ? found : undefined;
};

/**
 * Lines next to each other that are pairs share a table; one of them alone becomes a table of its members when
 * `single`, and every other line stays as it is. `columns` is the width of the terminal; without one nothing is cut.
 */
export const toTable = (lines: readonly string[], options: { columns?: number; single?: boolean } = {}): string[] => {
  const out: string[] = [];
  let block: Map<string, string>[] = [];
  const end = () => {
    const [first] = block;
    if (first) out.push(...(options.single && block.length === 1 ? members(first, options) : table(block, options)));
    block = [];
  };
  for (const line of lines) {
    const pairs = readPairs(line.trimStart());
    if (pairs) block.push(pairs);
    else {
      end();
      out.push(line);
    }
  }
  end();
  return out;
};

type Width = { columns?: number };

const members = (row: Map<string, string>, width: Width): string[] =>
  align(
    [...row].map(([key, value]) => [key, plain(value)]),
    width,
  );

const table = (rows: readonly Map<string, string>[], width: Width): string[] => {
  const keys = [...new Set(rows.flatMap((row) => [...row.keys()]))];
  return align(
    [keys.map((key) => key.toUpperCase()), ...rows.map((row) => keys.map((key) => plain(row.get(key))))],
    width,
  );
};

/** Quotes are for programs, unless what they hold could do something to a terminal. */
const plain = (value = ''): string => {
  if (!value.startsWith('"')) return value;
  const text = JSON.parse(value) as string;
  return text === '' || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text) ? value : text;
};

const gap = '  ';

const align = (rows: readonly (readonly string[])[], { columns }: Width): string[] => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => stringWidth(row[column] ?? ''))));
  const fitted = columns === undefined ? widths : shrink(widths, columns);
  return rows.map((row) =>
    row
      .map((cell, column) => pad(cut(cell, fitted[column] ?? 0), fitted[column] ?? 0))
      .join(gap)
      .trimEnd(),
  );
};

const narrowest = 6;

/** The widest columns give way; the first does not, because it says which object it is, and half an id is none. */
const shrink = (widths: readonly number[], columns: number): number[] => {
  const fitted = [...widths];
  const room = () => columns - fitted.reduce((sum, width) => sum + width, gap.length * (fitted.length - 1));
  while (room() < 0) {
    const widest = Math.max(...fitted.slice(1), 0);
    if (widest <= narrowest) break;
    fitted[fitted.indexOf(widest, 1)] = widest - 1;
  }
  return fitted;
};

const pad = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - stringWidth(text)));
