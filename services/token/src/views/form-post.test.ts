import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { formPostPage } from './form-post.ts';
import { contentSecurityPolicy, formPostPolicy } from './stylesheet.ts';

const hostile = `"><script>alert(1)</script>' onload=x \u202E https://evil.test`;

test('a form for the client, and a button for browsers without script', () => {
  const page = formPostPage('https://app.test/cb?a=1&b=2', { code: 'c0de', state: undefined, iss: 'https://as.test' });
  assert.match(page, /<form method="post" action="https:\/\/app\.test\/cb\?a=1&#38;b=2">/);
  assert.match(page, /<input type="hidden" name="code" value="c0de">/);
  assert.match(page, /<button class="stretch" type="submit">Continue<\/button>/);
  assert.ok(!page.includes('name="state"'));
});

test('nothing a client sends becomes markup', () => {
  const page = formPostPage('https://app.test/cb', { error: 'invalid_scope', state: hostile });
  assert.equal(page.match(/<script/g)?.length, 1);
  assert.equal(page.match(/<form/g)?.length, 1);
  assert.ok(!page.includes('alert(1)</script>'));
});

for (const uri of [
  'javascript:alert(1)',
  '//evil.test/cb',
  '/cb',
  'com.example.app:/cb',
  'data:text/html,x',
  'http://app.test/cb',
])
  test(`a form is not posted to ${uri}`, () => {
    assert.throws(() => formPostPage(uri, { code: 'c0de' }));
  });

test('its policy allows its script and its destination; that of other pages allows no script', () => {
  const page = formPostPage('https://app.test:8443/cb', { code: 'c0de' });
  const script = /<script>([\s\S]*?)<\/script>/.exec(page)?.[1] ?? '';
  const policy = formPostPolicy('https://app.test:8443/cb');
  assert.ok(policy.includes(`'sha256-${createHash('sha256').update(script).digest('base64')}'`));
  assert.ok(policy.includes('form-action https://app.test:8443;'));
  assert.ok(!contentSecurityPolicy('https://app.test:8443/cb').includes('script-src'));
});
