import assert from 'node:assert/strict';
import { test } from 'node:test';
import { oncePer } from './once-per.ts';

test('a document is written once for the same parts, and anew when one is another, is gone or has come', () => {
  let written = 0;
  const document = oncePer((...parts: unknown[]) => {
    written += 1;
    return JSON.stringify(parts);
  });
  const key = { kid: 'a' };
  assert.equal(document(key), document(key));
  assert.equal(written, 1);
  assert.equal(document({ kid: 'a' }, 'b'), '[{"kid":"a"},"b"]');
  assert.equal(document({ kid: 'c' }, 'b'), '[{"kid":"c"},"b"]');
  assert.equal(document({ kid: 'c' }), '[{"kid":"c"}]');
  assert.equal(document(), '[]');
  assert.equal(document(key), '[{"kid":"a"}]');
  assert.equal(written, 6);
});
