/** Running a package manager out of sight. */
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** A package manager that gives up has said why in its last lines, after hundreds about each retry. */
const KEPT_LINES = 30;

/** Runs a command to its end; resolves to its exit code and the end of what it printed, on either stream. */
export function capture(command, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => chunks.push(chunk));
    child.on('error', (cause) => reject(new Error(`Cannot run ${command}: ${cause.message}`, { cause })));
    child.on('close', (code) => {
      const lines = Buffer.concat(chunks).toString().trim().split('\n');
      resolve({ code, output: lines.slice(-KEPT_LINES).join('\n') });
    });
  });
}

/** Package managers keep their caches in the home directory; without a writable one they get one of ours. */
export function installEnvironment(directory, env = process.env) {
  try {
    accessSync(env.HOME || env.USERPROFILE || '/nonexistent', constants.W_OK);
    return env;
  } catch {
    const home = join(directory, 'home');
    mkdirSync(home, { recursive: true });
    return { ...env, HOME: home };
  }
}
