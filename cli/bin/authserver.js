#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

enableCompileCache();

const words = process.argv.slice(2);

const runCommand = async (line) => {
  const { runCommandLine } = await import('../src/run.ts');
  await runCommandLine(line, fileURLToPath(import.meta.url));
};

// Asked by probes and scripts, so it is answered without loading the command framework.
if (words.length === 1 && /^(version|--version|-v)$/.test(words[0])) {
  const { readVersion, versionLine } = await import('../src/version.ts');
  console.log(versionLine(readVersion()));
} else if (words[0] === 'serve') {
  const { readPlainLine, servePlainly } = await import('../src/serve/plain-line.ts');
  const options = readPlainLine(words.slice(1), process.env);
  void (options ? servePlainly(options) : runCommand(words));
} else {
  // Not awaited: what reads our output may go away first, and then nothing is left to wait for.
  void runCommand(words[0] === 'help' ? [...words.slice(1), '--help'] : words);
}
