import { type DeclarationList, declarationLists } from '@authserver/admin-api';
import {
  type Document,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
} from 'yaml';
import type { Source } from './sources.ts';

export type Lists = Partial<Record<DeclarationList, Record<string, unknown>[]>>;

/** Where a declaration is: the server knows only which of a list it is. */
type Place = { file: string; node: Node; lines: LineCounter };

export type Parsed = {
  lists: Lists;
  /** `file:line`, one a declaration. */
  placeOf(list: string, index: number | undefined, member?: string): string | undefined;
  /** The file a declaration is in. */
  fileOf(list: string, index: number): string | undefined;
  problems: string[];
};

/**
 * The declarations of all files together. Each document of a file holds lists by kind: `clients:`, `users:`. JSON is read
 * by the same parser, which it is a part of.
 */
export const parseSources = (sources: readonly Source[]): Parsed => {
  const lists: Lists = {};
  const places: Partial<Record<DeclarationList, Place[]>> = {};
  const problems: string[] = [];
  for (const { file, text } of sources) {
    const lines = new LineCounter();
    const at = (offset: number | undefined) => `${file}:${lines.linePos(offset ?? 0).line}`;
    const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, merge: true });
    for (const document of Array.isArray(documents) ? documents : []) {
      const complaints = [...document.errors, ...document.warnings];
      problems.push(...complaints.map(({ message, pos }) => `${at(pos[0])}: ${message}`));
      if (complaints.length > 0 || document.contents === null || isNothing(document.contents)) continue;
      if (!isMap(document.contents)) {
        problems.push(`${at(document.contents.range?.[0])}: must hold lists by kind: ${declarationLists.join(', ')}`);
        continue;
      }
      for (const pair of document.contents.items) {
        const key = pair.key as Node;
        const list = isScalar(key) ? String(key.value) : '';
        if (!(declarationLists as string[]).includes(list)) {
          problems.push(`${at(key.range?.[0])}: ${list} is no list of declarations: ${declarationLists.join(', ')}`);
          continue;
        }
        const value = pair.value as Node | null;
        if (value === null || isNothing(value)) continue;
        if (!isSeq(value)) {
          problems.push(`${at(value.range?.[0])}: ${list} must be a list`);
          continue;
        }
        for (const node of value.items as Node[]) {
          const declaration = toObject(node, document);
          if (declaration === undefined) {
            problems.push(`${at(node.range?.[0])}: each of ${list} must be an object`);
            continue;
          }
          add(lists, list as DeclarationList, declaration);
          add(places, list as DeclarationList, { file, node, lines });
        }
      }
    }
  }
  const find = (list: string, index: number | undefined) =>
    index === undefined ? undefined : places[list as DeclarationList]?.[index];
  return {
    lists,
    problems,
    fileOf: (list, index) => find(list, index)?.file,
    placeOf(list, index, member) {
      const place = find(list, index);
      if (!place) return undefined;
      const node = nodeOf(place.node, member?.split('.') ?? []);
      return `${place.file}:${place.lines.linePos(node.range?.[0] ?? 0).line}`;
    },
  };
};

const add = <T>(lists: Partial<Record<DeclarationList, T[]>>, list: DeclarationList, item: T): void => {
  const items = lists[list] ?? [];
  items.push(item);
  lists[list] = items;
};

const isNothing = (node: unknown): boolean => isScalar(node) && node.value === null;

const toObject = (node: Node, document: Document): Record<string, unknown> | undefined => {
  try {
    const value: unknown = node.toJS(document);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined; // an alias that leads nowhere, or to more than anybody would write
  }
};

/** The member a path leads to, or the last one on the way that is there. */
const nodeOf = (node: Node, [name, ...rest]: readonly string[]): Node => {
  if (name === undefined || !isCollection(node)) return node;
  const found: unknown = isMap(node)
    ? node.items.find(({ key }) => isScalar(key) && String(key.value) === name)
    : node.items[Number(name)];
  if (isPair(found)) {
    const deeper = rest.length > 0 && found.value ? nodeOf(found.value as Node, rest) : undefined;
    return deeper && deeper !== found.value ? deeper : (found.key as Node);
  }
  return found ? nodeOf(found as Node, rest) : node;
};
