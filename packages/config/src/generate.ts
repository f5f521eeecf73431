import { writeFileSync } from 'node:fs';
import { renderExample } from './example.ts';
import { renderReference } from './reference.ts';

/** Writes the pages made from the schema into `docs/`. Run with `node packages/config/src/generate.ts`. */
export function generate(docs: URL): void {
  writeFileSync(new URL('configuration.md', docs), renderReference());
  writeFileSync(new URL('config.example.yaml', docs), renderExample());
}

if (process.argv[1] === import.meta.filename) {
  generate(new URL('../../../docs/', import.meta.url));
}
