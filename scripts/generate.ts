/**
 * Writes every file that is made from code, and says which ones changed: `npm run generate`.
 * A generator is a module that exports `generate(): Promise<{ path, text }[]>`, with paths relative to the repository.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

interface GeneratedFile {
  path: string;
  text: string;
}

const generators = [
  '../packages/telemetry/src/generate.ts',
  '../packages/dashboards/src/generate.ts',
  '../packages/admin-api/src/generate.ts',
  '../cli/src/generate.ts',
  '../packages/store/src/generate.ts',
  '../test/conformance/generate.ts',
];

/** The configuration pages are plain functions of the schema. */
async function generateConfiguration(): Promise<GeneratedFile[]> {
  const { renderExample, renderReference } = await import('../packages/config/src/index.ts');
  return [
    { path: 'docs/configuration.md', text: renderReference() },
    { path: 'docs/config.example.yaml', text: renderExample() },
  ];
}

async function generateBy(module: string): Promise<GeneratedFile[]> {
  const { generate } = (await import(module)) as { generate: () => Promise<GeneratedFile[]> };
  return generate();
}

function write({ path, text }: GeneratedFile): void {
  const file = fileURLToPath(new URL(`../${path}`, import.meta.url));
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return;
  writeFileSync(file, text);
  console.log(`wrote ${path}`);
}

const work = new Map([['packages/config', generateConfiguration]]);
for (const module of generators) work.set(module.slice(3), () => generateBy(module));

// A broken generator does not keep the others from their work, but the run fails.
for (const [name, files] of work) {
  try {
    for (const file of await files()) write(file);
  } catch (error) {
    console.error(`${name}: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
