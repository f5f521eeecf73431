#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

enableCompileCache();

const words = process.argv.slice(2);

// Asked by probes and scripts, so it is answered without loading the command framework.
if (words.length === 1 && /^(version|--version|-v)$/.test(words[0])) {
  const { readVersion, versionLine } = await import('../src/version.ts');
  console.log(versionLine(readVersion()));
} else {
  const { runCommandLine } = await import('../src/run.ts');
  // Not awaited: what reads our output may go away first, and then nothing is left to wait for.
  void runCommandLine(words[0] === 'help' ? [...words.slice(1), '--help'] : words, fileURLToPath(import.meta.url));
}
