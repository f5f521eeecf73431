import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { messagePage } from './message.ts';
import { contentSecurityPolicy, stylesheet, stylesheetHash } from './stylesheet.ts';

test('the hash is that of the style element as served', () => {
  const served = /<style>([\s\S]*?)<\/style>/.exec(messagePage({ title: 'x', lead: 'y' }))?.[1] ?? '';
  assert.equal(stylesheetHash, `sha256-${createHash('sha256').update(served).digest('base64')}`);
});

test('the stylesheet loads nothing', () => assert.doesNotMatch(stylesheet, /url\(|@import|<|https?:/));

const policies: [redirectUri: string | undefined, formAction: string][] = [
  [undefined, "form-action 'self'"],
  ['https://app.test/cb?x=1;script-src%20*', "form-action 'self' https://app.test"],
  ['https://app.test:8443/cb', "form-action 'self' https://app.test:8443"],
  ['http://127.0.0.1:33418/cb', "form-action 'self' http://127.0.0.1:33418"],
  ['http://[::1]:33418/cb', "form-action 'self' http:"],
  ['com.example.app:/cb', "form-action 'self' com.example.app:"],
  ['cursor://a;b/cb', "form-action 'self' cursor:"],
];

for (const [redirectUri, formAction] of policies) {
  test(`policy of a page that may end at ${redirectUri}`, () => {
    const policy = contentSecurityPolicy(redirectUri);
    assert.ok(policy.split('; ').includes(formAction), policy);
    assert.ok(policy.startsWith("default-src 'none'; "));
    assert.doesNotMatch(policy, /unsafe|script/);
  });
}

/** Text against its surface (WCAG 2.2 §1.4.3, 4.5) and edges and focus rings against theirs (§1.4.11, 3). */
const contrasts: [front: string, back: string, least: number][] = [
  ['ink', 'card', 4.5],
  ['ink', 'page', 4.5],
  ['ink', 'inset', 4.5],
  ['soft', 'card', 4.5],
  ['soft', 'inset', 4.5],
  ['accent', 'card', 4.5],
  ['on-accent', 'accent', 4.5],
  ['on-plain', 'plain', 4.5],
  ['warn', 'warn-surface', 4.5],
  ['bad', 'bad-surface', 4.5],
  ['good', 'good-surface', 4.5],
  ['field', 'card', 3],
];

for (const [scheme, block] of ['light', 'dark'].map((name, index) => [name, stylesheet.split(':root {')[index + 1]])) {
  for (const [front, back, least] of contrasts) {
    test(`contrast in the ${scheme} scheme: ${front} on ${back}`, () => {
      const [a, b] = [luminance(front, block ?? ''), luminance(back, block ?? '')];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      assert.ok(ratio >= least, `${ratio.toFixed(2)} < ${least}`);
    });
  }
}

/** Relative luminance as WCAG defines it. */
function luminance(property: string, block: string): number {
  const hex = new RegExp(`--${property}: #([0-9a-f]{6});`).exec(block)?.[1];
  assert.ok(hex, `no --${property}`);
  const [red = 0, green = 0, blue = 0] = [0, 2, 4].map((at) => {
    const channel = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
