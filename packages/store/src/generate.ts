import { readMigrations } from './migrate.ts';

/**
 * The checksum of every migration, in the format of sha256sum. An edit to a migration that has been released shows up
 * in review as a changed line here, long before a database refuses it.
 */
export const generate = async (): Promise<{ path: string; text: string }[]> => {
  const lines = (await readMigrations()).map(({ name, checksum }) => `${checksum}  ${name}.sql\n`);
  return [{ path: 'packages/store/migrations/SHA256SUMS', text: lines.join('') }];
};
