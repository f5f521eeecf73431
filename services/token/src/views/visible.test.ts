import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ascii, visible } from './visible.ts';

const cases: [what: string, input: string | null | undefined, shown: string][] = [
  ['plain text', 'Claude Code', 'Claude Code'],
  ['other scripts', 'Zoë 山田 علي', 'Zoë 山田 علي'],
  ['absent', undefined, ''],
  ['null', null, ''],
  ['right-to-left override', 'a\u202Egnp.exe', 'a\uFFFDgnp.exe'],
  ['isolates', '\u2066x\u2069', '\uFFFDx\uFFFD'],
  ['direction marks', 'a\u200E\u200F\u061Cb', 'ab'],
  ['zero-width characters', 'Cl\u200Bau\u200Dde\uFEFF\u2060', 'Claude'],
  ['soft hyphen and tag characters', 'x\u00AD\u{E0041}y', 'xy'],
  ['Hangul filler', '\u3164\u115F\uFFA0', ''],
  ['line breaks and wide blanks', 'a\r\n\tb\u2003\u2028c', 'a b c'],
  ['Braille blanks', '\u2800\u2800', ''],
  ['C0 and C1 controls', 'a\u0000\u001B\u009Bb', 'a\uFFFD\uFFFD\uFFFDb'],
  ['half a surrogate pair', 'a\uD800b', 'a\uFFFDb'],
  ['private use', '\uE000', '\uFFFD'],
  ['stacked marks', `e${'\u0335'.repeat(500)}`, `e${'\u0335'.repeat(4)}`],
];

for (const [what, input, shown] of cases) {
  test(`visible: ${what}`, () => assert.equal(visible(input), shown));
}

test('visible cuts between graphemes and says so', () => {
  assert.equal(visible('abcdef', 4), 'abcd…');
  assert.equal(visible('abcd', 4), 'abcd');
  assert.equal(visible('👍🏽'.repeat(5), 3), `${'👍🏽'.repeat(3)}…`);
  assert.equal(visible('x'.repeat(5_000_000), 10), 'xxxxxxxxxx…');
});

test('ascii spells out letters that could stand for others', () => {
  assert.equal(ascii('аpple.test'), '\\u{430}pple.test');
  assert.equal(ascii('a\u202Eb\n'), 'a\\u{202e}b\\u{a}');
  assert.equal(ascii('https://a.test/b?c=d'), 'https://a.test/b?c=d');
});

test('ascii keeps both ends of what is too long, and only its own cut looks like one', () => {
  const host = `login.bank.test.${'a'.repeat(400)}.evil.test`;
  const shown = ascii(host, 100);
  assert.ok(shown.length <= 100);
  assert.ok(shown.startsWith('login.bank.test.') && shown.endsWith('.evil.test') && shown.includes('…'));
  assert.equal(ascii('a…b'), 'a\\u{2026}b');
});
