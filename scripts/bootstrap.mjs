/**
 * Runs one task of this repository on any machine with Node 18 or newer and a package registry:
 * brings a recent Node and pnpm when the host has none, installs what the lockfile names, then starts the task.
 * Plain JavaScript without dependencies, because it runs before there are any. Writes to stderr only.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installDependencies } from './bootstrap/dependencies.mjs';
import { run } from './bootstrap/run.mjs';
import { prepareRuntime } from './bootstrap/runtime.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const cli = join(root, 'cli/bin/authserver.js');
// A small young generation: half the memory under load, for a few per cent of speed.
const server = ['--max-semi-space-size=8', cli, 'serve'];
const serverTasks = ['start', 'dev'];
/** For glibc, which would give every thread of V8 memory of its own and keep it: 10 to 40 MB under load. */
const MALLOC_ARENA_MAX = '2';
const types = [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json'];
const lint = [join(root, 'node_modules/@biomejs/biome/bin/biome'), 'check', '.'];

/** Task name to the Node command lines it stands for, run in order until one fails. */
const tasks = {
  start: (args) => [[...server, ...args]],
  authserver: (args) => [[cli, ...args]],
  dev: (args) => [['--watch', ...server, ...args]],
  test: (args) => [['test/run.ts', ...args]],
  types: (args) => [[...types, ...args]],
  lint: (args) => [[...lint, ...args]],
  generate: (args) => [['scripts/generate.ts', ...args]],
  check: (args) => [types, lint, ['test/run.ts', '--unit', ...args]],
  build: (args) => [['scripts/build.ts', ...args]],
  bench: (args) => [['test/bench/run.ts', ...args]],
  cluster: (args) => [['test/cluster/run.ts', ...args]],
  'sample:server': (args) => [['docs/quickstart/server.ts', ...args]],
  'sample:client': (args) => [['docs/quickstart/client.ts', ...args]],
};

/**
 * npm moves to the package root before it runs a script and leaves the caller's directory in INIT_CWD.
 * Paths given to the CLI mean that directory; every other task belongs to the root.
 */
function workingDirectory(task) {
  if (task !== 'authserver') return root;
  const { npm_lifecycle_event: script, INIT_CWD: caller } = process.env;
  return script === task && caller && existsSync(caller) ? caller : process.cwd();
}

async function main([task, ...args]) {
  if (!Object.hasOwn(tasks, task ?? '')) {
    console.error(`usage: node scripts/bootstrap.mjs <task> [arguments]\ntasks: ${Object.keys(tasks).join(', ')}`);
    return 2;
  }
  const runtime = await prepareRuntime(root);
  await installDependencies(root, runtime);
  const cwd = workingDirectory(task);
  const env = serverTasks.includes(task) ? { MALLOC_ARENA_MAX, ...runtime.env } : runtime.env;
  for (const command of tasks[task](args)) {
    const code = await run(runtime.node, command, { cwd, env });
    if (code !== 0) return code;
  }
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
