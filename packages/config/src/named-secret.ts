import { readFileSync } from 'node:fs';
import type { Environment } from './settings.ts';

/** Where the value of a named variable may be instead: in the file that this variable names. */
export const fileVariableOf = (name: string): string => `${name}_FILE`;

/**
 * What a setting such as `data_encryption.aes_master.key_env` leads to: the variable of that name, or the content of the
 * file in `<NAME>_FILE` without its last line break.
 *
 * @returns the value, or what is wrong with it in words that do not repeat it
 */
export function readNamedSecret(env: Environment, name: string): { value: string } | { problem: string } {
  const value = env[name];
  const file = env[fileVariableOf(name)];
  if (value && file) return { problem: `names ${name}, but ${fileVariableOf(name)} is set as well; set only one` };
  if (value) return { value };
  if (!file) return { problem: `names ${name}, which is not set` };
  try {
    const content = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
    return content === '' ? { problem: `names ${name}, whose file is empty` } : { value: content };
  } catch {
    return { problem: `names ${name}, whose file cannot be read` };
  }
}
