/** `pnpm install`, only when something it depends on has changed since it last succeeded. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { capture, installEnvironment } from './capture.mjs';
import { withLock } from './lock.mjs';

/** Without a network the defaults take minutes to say so. */
const IMPATIENT = ['retries=2', 'retry-mintimeout=500', 'retry-maxtimeout=2000'].map(
  (value) => `--config.fetch-${value}`,
);

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Every package.json of the workspace, from the `packages:` list of pnpm-workspace.yaml (`dir` or `dir/*`). */
function manifests(root, workspace) {
  const list = workspace.match(/^packages:\n((?: +- .*\n)*)/m)?.[1] ?? '';
  const patterns = [...list.matchAll(/- ['"]?([^'"\n]+)/g)].map((match) => match[1].trim());
  const directories = patterns.flatMap((pattern) => {
    if (!pattern.endsWith('/*')) return [pattern];
    const parent = pattern.slice(0, -2);
    return readdirSync(join(root, parent)).map((name) => `${parent}/${name}`);
  });
  return ['package.json', ...directories.sort().map((directory) => `${directory}/package.json`)];
}

/** Changes with the lockfile, the workspace's settings, any manifest, and the platform that was installed for. */
function fingerprint(root) {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  const workspace = read(join(root, 'pnpm-workspace.yaml')) ?? '';
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', ...manifests(root, workspace)]) {
    const text = read(join(root, file));
    if (text !== undefined) hash.update(`${file} ${text.length}\n${text}`);
  }
  return hash.digest('hex');
}

/** Installs the workspace's dependencies exactly as locked; returns at once when they are there. */
export async function installDependencies(root, runtime) {
  const stamp = join(root, 'node_modules/.authserver-stamp');
  if (read(stamp) === fingerprint(root)) return;
  await withLock(runtime.directory, async () => {
    const wanted = fingerprint(root);
    const installed = read(stamp);
    if (installed === wanted) return;
    console.error(`installing dependencies (${installed ? 'they have changed' : 'first run only'}) …`);
    const options = ['--frozen-lockfile', '--prefer-offline', '--reporter=append-only', ...IMPATIENT];
    const { code, output } = await capture(runtime.node, [runtime.pnpm, 'install', ...options], {
      cwd: root,
      // CI=true: never ask, for instance before node_modules of another layout is replaced.
      env: { ...installEnvironment(runtime.directory, runtime.env), CI: 'true' },
    });
    if (code !== 0) {
      throw new Error(
        `${output}\npnpm could not install the dependencies: see its message above; ` +
          'the first run needs the package registry, and pnpm-lock.yaml must match the package.json files.',
      );
    }
    writeFileSync(stamp, wanted);
  });
}
