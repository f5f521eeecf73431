import assert from 'node:assert/strict';
import { test } from 'node:test';
import { denialReasons, errorStatus } from '@authserver/oauth';
import { readSourceFiles } from '../support/source-files.ts';

const files = readSourceFiles().filter(({ path }) => !path.endsWith('.test.ts'));
const textOf = (paths: RegExp, except: RegExp) =>
  files
    .filter(({ path }) => paths.test(path) && !except.test(path))
    .map(({ text }) => text)
    .join('\n');

/** Everything that may refuse a request, without the lists themselves. */
const sources = textOf(/^(packages|services)\//, /\/oauth\/src\/denials\.ts$/);

test('every reason we may have for a refusal is given somewhere', () => {
  assert.deepEqual(
    denialReasons.filter((reason) => !sources.includes(`'${reason}'`)),
    [],
  );
});

test('reasons are distinct words', () => {
  assert.equal(new Set(denialReasons).size, denialReasons.length);
  for (const reason of denialReasons) assert.match(reason, /^[a-z][a-z_]+[a-z]$/);
});

test('every error code travels under a status, and is raised somewhere', () => {
  for (const [code, status] of Object.entries(errorStatus)) {
    assert.ok(status >= 400 && status < 600, code);
    assert.match(code, /^[a-z_]+$/);
    // Once in the list, and at least once where it is raised.
    assert.ok(sources.split(new RegExp(`'${code}'`)).length > 1, `${code} is never raised`);
  }
});

test('only packages/http turns an error into a response', () => {
  const raising = files.filter(
    ({ path, text }) =>
      /^(packages|services)\//.test(path) && !path.startsWith('packages/http/') && /\berror_description: /.test(text),
  );
  assert.deepEqual(
    raising.map(({ path }) => path),
    ['services/token/src/authorization/response.ts'],
    'besides the redirect to the client, which is a URL',
  );
});
