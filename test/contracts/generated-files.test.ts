import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { renderExample, renderReference } from '@authserver/config';
import { root } from '../support/source-files.ts';

type Generator = { generate: () => Promise<{ path: string; text: string }[]> };

const committed = (path: string) => readFileSync(join(root, path), 'utf8');
const modules = globSync(['{packages/*,cli}/src/generate.ts', 'test/conformance/generate.ts'], { cwd: root })
  .filter((module) => module !== 'packages/config/src/generate.ts') // its pages are plain functions, below
  .sort();

test('there are generators', () => assert.ok(modules.length >= 4, modules.join(', ')));

test('the configuration pages are those of the schema; otherwise run npm run generate', () => {
  assert.equal(committed('docs/configuration.md'), renderReference());
  assert.equal(committed('docs/config.example.yaml'), renderExample());
});

for (const module of modules)
  test(`what ${module} writes is what is committed; otherwise run npm run generate`, async () => {
    const { generate } = (await import(pathToFileURL(join(root, module)).href)) as Generator;
    const files = await generate();
    assert.ok(files.length > 0);
    for (const { path, text } of files) assert.equal(committed(path), text, path);
  });
