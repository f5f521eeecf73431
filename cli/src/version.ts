import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// Written into a bundle by the build. A checkout has neither: its commit is read from .git, and it was never built.
declare const __COMMIT__: string | undefined;
declare const __BUILT__: string | undefined;

export type Version = { version: string; commit: string; built: string };

/** `commit` and `built` (RFC 3339) are `unknown` where nothing tells. */
export const readVersion = (): Version => ({
  version: packageVersion(),
  commit: (typeof __COMMIT__ === 'string' && __COMMIT__) || checkoutCommit() || 'unknown',
  built: (typeof __BUILT__ === 'string' && __BUILT__) || 'unknown',
});

export const versionLine = ({ version, commit, built }: Version): string =>
  `authserver v${version} commit=${commit} built=${built}`;

/** The package this file is part of, in a checkout one folder up, in a bundle beside or above it. */
const packageVersion = (): string => {
  for (const path of ['./package.json', '../package.json']) {
    const file = fileURLToPath(new URL(path, import.meta.url));
    if (existsSync(file)) return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  }
  return '0.0.0';
};

/** Reads what git would say, because a machine that runs a checkout need not have git. */
const checkoutCommit = (): string | undefined => {
  const git = new URL('../../.git/', import.meta.url);
  const read = (path: string): string | undefined => {
    try {
      return readFileSync(new URL(path, git), 'utf8');
    } catch {
      return undefined;
    }
  };
  const head = read('HEAD')?.trim();
  const ref = head?.match(/^ref: (refs\/\S+)$/)?.[1];
  if (ref === undefined) return shortened(head);
  const packed = read('packed-refs')
    ?.split('\n')
    .find((line) => line.endsWith(` ${ref}`));
  return shortened(read(ref) ?? packed);
};

const shortened = (text: string | undefined) => text?.match(/^[0-9a-f]{40}/)?.[0].slice(0, 7);
