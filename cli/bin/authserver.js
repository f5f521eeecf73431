#!/usr/bin/env node
import { enableCompileCache } from 'node:module';

enableCompileCache();

const words = process.argv.slice(2);

// Asked by probes and scripts, so it is answered without loading the command framework.
if (words.length === 1 && /^(version|--version|-v)$/.test(words[0])) {
  const { readVersion, versionLine } = await import('../src/version.ts');
  console.log(versionLine(readVersion()));
} else {
  // CommonJS: inside a bundle its exports are found on `default` alone.
  const oclif = await import('@oclif/core');
  const { execute } = oclif.default ?? oclif;
  // Not awaited: on an error the promise never settles, which Node would report beside the error.
  void execute({ args: words[0] === 'help' ? [...words.slice(1), '--help'] : words, dir: import.meta.url });
}
