/** Lines of columns within a width, in plain text and with colours. */
import stringWidth from 'string-width';
import { cut } from '../cut.ts';

export type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green';
/** Gives a text its look, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

/** A line with the width it has on a terminal, colours not counted. */
export type Line = { text: string; width: number };
export type Cell = string | { text: string; style: Style };
export type Column = {
  title: string;
  right?: boolean;
  /** Gives way when there is not enough room, and is cut: at its start, where the end says more. */
  cutAt?: 'start' | 'end';
};
/** A row that has something to say in place of its last cells. */
export type Row = readonly Cell[] | { cells: readonly Cell[]; note: Cell };

const gap = '  ';
const narrowest = 8;

const textOf = (cell: Cell): string => (typeof cell === 'string' ? cell : cell.text);
const painted = (cell: Cell, text: string, paint: Paint): string =>
  typeof cell === 'string' ? text : paint(cell.style, text);

/** A heading and its rows, none wider than `width`. */
export const columnsOf = (columns: readonly Column[], rows: readonly Row[], width: number, paint: Paint): Line[] => {
  const titles = columns.map(({ title }): Cell => ({ text: title, style: 'dim' }));
  const cellsOf = (row: Row): readonly Cell[] => ('cells' in row ? row.cells : row);
  const widths = columns.map(({ title }, index) =>
    Math.max(stringWidth(title), ...rows.map((row) => stringWidth(textOf(cellsOf(row)[index] ?? '')))),
  );
  const gives = columns.findIndex(({ cutAt }) => cutAt !== undefined);
  const tooMuch = widths.reduce((sum, each) => sum + each, gap.length * (columns.length - 1)) - width;
  if (tooMuch > 0 && gives >= 0) widths[gives] = Math.max(narrowest, (widths[gives] ?? 0) - tooMuch);

  const line = (cells: readonly Cell[], note?: Cell): Line => {
    let room = width;
    const parts: string[] = [];
    for (const [index, cell] of cells.entries()) {
      const space = Math.min(widths[index] ?? 0, room - (parts.length > 0 ? gap.length : 0));
      if (space <= 0) break;
      room -= space + (parts.length > 0 ? gap.length : 0);
      const { right = false, cutAt } = columns[index] ?? {};
      const text = cut(textOf(cell), space, cutAt);
      const pad = ' '.repeat(space - stringWidth(text));
      parts.push(right ? pad + painted(cell, text, paint) : painted(cell, text, paint) + pad);
    }
    if (note !== undefined && room > gap.length) {
      const text = cut(textOf(note), room - gap.length);
      room -= gap.length + stringWidth(text);
      parts.push(painted(note, text, paint));
    }
    return { text: parts.join(gap), width: width - room };
  };
  return [line(titles), ...rows.map((row) => ('cells' in row ? line(row.cells, row.note) : line(row)))];
};

/** So many of them that the heading and the rows fit into `height`; the last line says how many do not. */
export const fit = (lines: readonly Line[], height: number, paint: Paint): Line[] => {
  if (lines.length <= height) return [...lines];
  if (height < 2) return [];
  const left = lines.length - (height - 1);
  const text = `… ${left} more`;
  return [...lines.slice(0, height - 1), { text: paint('dim', text), width: text.length }];
};

/** Blocks next to each other; `width` is that of each but the last. */
export const beside = (left: readonly Line[], right: readonly Line[], width: number): Line[] =>
  Array.from({ length: Math.max(left.length, right.length) }, (_, index) => {
    const [one, other] = [left[index] ?? { text: '', width: 0 }, right[index] ?? { text: '', width: 0 }];
    if (other.width === 0) return one;
    return { text: one.text + ' '.repeat(Math.max(0, width - one.width)) + other.text, width: width + other.width };
  });
