import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attributes, html } from './html.ts';

/** The template's types refuse these too; the tests are about what happens when a caller gets around them. */
const untyped = (value: unknown) => value as string;

const texts: [what: string, input: unknown, markup: string][] = [
  ['markup', '<script>alert(1)</script>', '&#60;script&#62;alert(1)&#60;/script&#62;'],
  ['quotes', `"'\``, '&#34;&#39;&#96;'],
  ['ampersand', '&lt;', '&#38;lt;'],
  ['NUL', 'a\0b', 'a\uFFFDb'],
  ['override', 'a\u202Eb', 'a\uFFFDb'],
  ['line breaks of a command', 'a\n\tb', 'a\n\tb'],
  ['number', 7, '7'],
  ['null', null, ''],
  ['undefined', undefined, ''],
  ['false', false, ''],
  ['list', ['<', html`<b>x</b>`, false], '&#60;<b>x</b>'],
];

for (const [what, input, markup] of texts) {
  test(`text: ${what}`, () => assert.equal(html`<p>${untyped(input)}</p>`.toString(), `<p>${markup}</p>`));
}

test('a value cannot leave its quotes', () => {
  assert.equal(html`<p id="${'" onclick="x'}">`.toString(), '<p id="&#34; onclick=&#34;x">');
  assert.equal(
    html`<p${attributes({ value: '">', checked: true, autofocus: false })}>`.toString(),
    '<p value="&#34;&#62;" checked>',
  );
});

test('markup does not fit into a value, nor text into a tag', () => {
  assert.throws(() => html`<p id="${html`<b class="x">`}">`);
  assert.throws(() => html`<p ${'onclick=x'}>`);
  assert.throws(() => html`<p ${html`onclick`}>`);
});

test('only html makes markup', () => {
  assert.throws(() => html`${untyped({ toString: () => '<b>' })}`);
  assert.throws(() => html`${untyped(true)}`);
});

const paths: [path: string, allowed: boolean][] = [
  ['/', true],
  ['/login?request=a&b=c#d', true],
  ['//evil.test', false],
  ['/\\evil.test', false],
  ['/a\\b', false],
  ['/\t/evil.test', false],
  ['https://evil.test/', false],
  ['javascript:alert(1)', false],
  [' javascript:alert(1)', false],
  ['data:text/html,x', false],
  ['evil', false],
  ['', false],
];

for (const [path, allowed] of paths) {
  test(`link ${JSON.stringify(path)}: ${allowed ? 'allowed' : 'refused'}`, () => {
    const link = () => html`<a href="${path}">x</a>`;
    const form = () => html`<form method="post" action="${path}"></form>`;
    for (const make of [link, form]) allowed ? assert.doesNotThrow(make) : assert.throws(make);
  });
}

test('templates that could not be safe are refused', () => {
  assert.throws(() => html`<p id=${'x'}>`);
  assert.throws(() => html`<p id='${'x'}'>`);
  assert.throws(() => html`<p style="${'x'}">`);
  assert.throws(() => html`<p onclick="${'x'}">`);
  assert.throws(() => html`<script>${'x'}</script>`);
  assert.throws(() => html`<style>${'x'}</style>`);
  assert.throws(() => html`<p`);
});
