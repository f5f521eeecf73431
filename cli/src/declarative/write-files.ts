import { access, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { declarationLists } from '@authserver/admin-api';
import { Document, isSeq } from 'yaml';
import { CommandFailure, exitCodes } from '../failure.ts';

type Lists = Record<string, Record<string, unknown>[]>;

/** YAML with an empty line between declarations, as a person would write it. */
export const toYaml = (lists: Lists): string => {
  const document = new Document(lists);
  for (const [index, list] of Object.keys(lists).entries()) {
    const items = document.get(list);
    if (isSeq(items)) for (const item of items.items.slice(1)) (item as { spaceBefore?: boolean }).spaceBefore = true;
    const key = (document.contents as unknown as { items: { key: { spaceBefore?: boolean } }[] }).items[index]?.key;
    if (index > 0 && typeof key === 'object') key.spaceBefore = true;
  }
  return document.toString({ lineWidth: 0 });
};

/**
 * One file a list, named after it. Files of an earlier export are only replaced, or taken away, when told so.
 *
 * @throws {CommandFailure} conflict, when one is there
 */
export const writeFiles = async (directory: string, lists: Lists, { force }: { force: boolean }): Promise<string[]> => {
  await mkdir(directory, { recursive: true });
  const fileOf = (list: string) => join(directory, `${list}.yaml`);
  const there: string[] = [];
  for (const list of declarationLists)
    if (
      await access(fileOf(list)).then(
        () => true,
        () => false,
      )
    )
      there.push(list);
  if (there.length > 0 && !force)
    throw new CommandFailure(
      'conflict',
      exitCodes.conflict,
      `${fileOf(there[0] ?? '')} is there already; --force replaces it`,
    );
  for (const list of there) await rm(fileOf(list));
  const written: string[] = [];
  for (const [list, declarations] of Object.entries(lists)) {
    await writeFile(fileOf(list), toYaml({ [list]: declarations }));
    written.push(fileOf(list));
  }
  return written;
};
