import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asksFor } from './accept.ts';

const jwt = 'application/token-introspection+jwt';
const cases: [accept: string | undefined, asked: boolean][] = [
  [undefined, false],
  ['', false],
  ['*/*', false],
  ['application/*', false],
  ['application/json', false],
  [jwt, true],
  ['Application/Token-Introspection+JWT', true],
  [`${jwt}, application/json`, true],
  [`application/json, ${jwt}`, true],
  [`${jwt};q=0.5, application/json`, false],
  [`${jwt};q=0.9, application/json;q=0.8`, true],
  [`${jwt};q=0.5, */*;q=0.8`, false],
  [`${jwt};q=0`, false],
  [`${jwt};q=x`, false],
  [`${jwt}; charset=utf-8`, true],
  [`text/html, ${jwt}x`, false],
];

for (const [accept, asked] of cases)
  test(`Accept ${JSON.stringify(accept)} ${asked ? 'asks' : 'does not ask'} for the JWT (RFC 9110 §12.5.1)`, () =>
    assert.equal(asksFor(accept, jwt, 'application/json'), asked));
