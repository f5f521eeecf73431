import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSourceFiles } from '../support/source-files.ts';

/** What may say something to a client by an OAuth error. The views are pages, in HTML, and may use any character. */
const speaking = /^(services\/token|packages\/(oauth|http|outbound))\/src\/(?!views\/)/;

/** Comments name sections by their sign; in an error it would arrive as a question mark. */
const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, '')).replace(/(^|\s)\/\/ .*$/gm, '$1');

test('error texts keep to the characters of error_description (RFC 6749 §5.2)', () => {
  const found = readSourceFiles()
    .filter(({ path }) => speaking.test(path) && !path.endsWith('.test.ts'))
    .flatMap(({ path, text }) =>
      withoutComments(text)
        .split('\n')
        .flatMap((line, index) => (/[^\t\x20-\x7e]/.test(line) ? [`${path}:${index + 1} ${line.trim()}`] : [])),
    );
  assert.deepEqual(found, []);
});
