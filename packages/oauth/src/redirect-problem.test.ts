import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applicationTypeOf } from './client-metadata.ts';
import { redirectProblem } from './redirect-problem.ts';

const problems: [uri: string, problem: RegExp | undefined][] = [
  ['https://app.example.com/cb', undefined],
  ['http://127.0.0.1:1/cb', undefined],
  ['cursor://anysphere.cursor-retrieval/oauth/callback', undefined],
  ['app.example.com/cb', /not an absolute URI/],
  ['', /not an absolute URI/],
  ['https://app.example.com/cb#here', /fragment/],
  ['https://me@app.example.com/cb', /user info/],
  ['https://*.example.com/cb', /wildcard/],
  ['http://app.example.com/cb', /use https/],
  ['http://localhost.example.com/cb', /use https/],
  ['HTTP://localhost/cb', /lower case/],
  ['http://127.1/cb', /must be written as/],
  ['http://localhost:0/cb', /port from 1/],
  ['https:app.example.com', /not an https URI that every parser reads alike/],
  ['https://app.example.com\\@evil.example/cb', /./],
  ['javascript:alert(1)', /may not be used for redirects/],
  ['ms-msdt:/id', /may not be used for redirects/],
  [`https://app.example.com/${'a'.repeat(2000)}`, /longer than 2000/],
];
for (const [uri, problem] of problems)
  test(`what is wrong with ${JSON.stringify(uri.slice(0, 60))} as a redirect URI`, () => {
    const found = redirectProblem(uri);
    if (problem) assert.match(found ?? 'nothing', problem);
    else assert.equal(found, undefined);
  });

const types: [declared: 'web' | 'native' | undefined, uris: string[], type: 'web' | 'native'][] = [
  [undefined, ['https://app.example.com/cb'], 'web'],
  [undefined, ['http://127.0.0.1/cb'], 'native'],
  ['web', ['http://127.0.0.1/cb'], 'web'],
  ['web', ['cursor://x/cb', 'https://app.example.com/cb'], 'native'],
  ['native', ['https://app.example.com/cb'], 'native'],
  [undefined, [], 'web'],
];
for (const [declared, redirect_uris, type] of types)
  test(`${declared ?? 'nothing'} said with ${redirect_uris.join(' ') || 'no address'} is ${type}`, () =>
    assert.equal(applicationTypeOf({ application_type: declared, redirect_uris }), type));
