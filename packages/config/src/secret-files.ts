import { readFileSync } from 'node:fs';
import { filePath } from './environment.ts';
import { unreadable } from './file.ts';
import type { Problem } from './problems.ts';
import type { Setting } from './settings.ts';
import { deleteAt, setAt, type Tree, valueAt } from './tree.ts';

/** Replaces every `<key>_file` in `tree` by the content of that file, without its last line break. */
export function readSecretFiles(tree: Tree, settings: readonly Setting[]): Problem[] {
  return settings.flatMap((setting) => {
    if (!setting.secret) return [];
    const path = filePath(setting);
    const file = valueAt(tree, path);
    if (file === undefined) return [];
    deleteAt(tree, path);

    const problem = (message: string) => [{ key: path.join('.'), message }];
    if (valueAt(tree, setting.path) !== undefined) return problem(`set either this or ${setting.key}, not both`);
    if (file === '') return [];
    if (typeof file !== 'string') return problem('expected the path of a file');
    try {
      const content = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
      if (content === '') return problem('names an empty file');
      setAt(tree, setting.path, content);
      return [];
    } catch (error) {
      // A path can be a secret pasted under the wrong name, so it is not repeated either.
      return problem(
        `the file it names ${unreadable(error) === 'no such file' ? 'does not exist' : unreadable(error)}`,
      );
    }
  });
}
