import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { renderExample } from './example.ts';
import { loadConfig } from './load.ts';
import { renderReference } from './reference.ts';
import { ConfigSchema } from './schema.ts';
import { settingsOf } from './settings.ts';

const settings = settingsOf(ConfigSchema);

test('every setting is described, on the page and in the example', () => {
  const reference = renderReference();
  const example = renderExample();
  for (const { key, path, description } of settings) {
    assert.notEqual(description, '', key);
    assert.ok(reference.includes(`| \`${key}\` |`), key);
    assert.match(example, new RegExp(`^# +${path.at(-1)}:`, 'm'));
  }
});

test('no two settings share a variable', () => {
  const names = settings.flatMap(({ env, secret }) => (env === undefined ? [] : secret ? [env, `${env}_FILE`] : [env]));
  assert.deepEqual(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
  );
});

test('the example with every setting uncommented is the default configuration', () => {
  const directory = mkdtempSync(join(tmpdir(), 'authserver-example-'));
  const path = join(directory, 'config.yaml');
  writeFileSync(path, renderExample().replaceAll(/^# /gm, ''));
  try {
    assert.deepEqual(loadConfig({ path, env: {} }).config, loadConfig({ env: {} }).config);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('the pages in docs/ are fresh; if not, run `pnpm generate`', () => {
  const docs = new URL('../../../docs/', import.meta.url);
  assert.equal(readFileSync(new URL('configuration.md', docs), 'utf8'), renderReference());
  assert.equal(readFileSync(new URL('config.example.yaml', docs), 'utf8'), renderExample());
});
