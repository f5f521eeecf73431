import { redirectKind } from '@authserver/oauth';
import { neutralise } from './visible.ts';

/**
 * The only way to make markup here: a tagged template in which every interpolation is escaped for where it stands.
 * There is no `raw`; `Html` comes from `html` alone, so unescaped input cannot reach a page. What a template may not
 * do (an unquoted value, `style=`, a handler, a link to another site) throws, at the first render at the latest.
 */

/** Escaped markup. The class stays in this file: a look-alike object cannot be passed off as one. */
class Markup {
  readonly #markup: string;
  constructor(markup: string) {
    this.#markup = markup;
  }
  toString(): string {
    return this.#markup;
  }
}
export type Html = Markup;

/** Whole attributes, made by `attributes`. */
class Attributes {
  readonly #markup: string;
  constructor(markup: string) {
    this.#markup = markup;
  }
  toString(): string {
    return this.#markup;
  }
}

type Scalar = string | number | null | undefined | false;
type Interpolation = Scalar | Html | Attributes | readonly (Scalar | Html)[];

/** Where an interpolation stands, which decides what is accepted and how it is escaped. */
type Slot = 'text' | 'tag' | 'value' | 'path';

const pathAttributes = new Set(['href', 'action', 'formaction', 'src']);
const slotsByTemplate = new WeakMap<TemplateStringsArray, Slot[]>();

/** Builds markup. `null`, `undefined` and `false` render nothing; arrays are joined; strings are escaped. */
export function html(strings: TemplateStringsArray, ...values: Interpolation[]): Html {
  let slots = slotsByTemplate.get(strings);
  if (!slots) {
    slots = findSlots(strings);
    slotsByTemplate.set(strings, slots);
  }
  let markup = strings[0] ?? '';
  for (const [index, value] of values.entries()) {
    markup += render(value, slots[index] ?? 'text') + (strings[index + 1] ?? '');
  }
  return new Markup(markup);
}

/** Attributes that depend on the data. `true` writes the bare name; `false` and `undefined` write nothing. */
export function attributes(
  values: Partial<Record<'autofocus' | 'checked' | 'value' | 'aria-describedby', string | boolean | undefined>>,
): Attributes {
  let markup = '';
  for (const [name, value] of Object.entries(values)) {
    if (value === true) markup += ` ${name}`;
    else if (typeof value === 'string') markup += ` ${name}="${escapeHtml(value)}"`;
  }
  return new Attributes(markup);
}

/** The one way for a form to leave this server: to a redirect URI, whose owner the caller has checked. */
export function postsTo(redirectUri: string): Attributes {
  const kind = redirectKind(redirectUri);
  if (kind !== 'https' && kind !== 'loopback') throw new Error('A form is posted to a redirect URI on the web.');
  return new Attributes(` action="${escapeHtml(redirectUri)}"`);
}

function render(value: Interpolation, slot: Slot): string {
  if (value === null || value === undefined || value === false) return '';
  if (slot === 'tag') {
    if (value instanceof Attributes) return value.toString();
    throw new Error('Only attributes() may stand inside a tag.');
  }
  if (slot === 'text') {
    if (value instanceof Markup) return value.toString();
    if (Array.isArray(value)) return value.map((item) => render(item, slot)).join('');
  }
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'string') throw new Error(`A ${slot} interpolation must be a string.`);
  if (slot === 'text') return escapeHtml(neutralise(value));
  return escapeHtml(slot === 'path' ? requireOwnPath(value) : value);
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"'`\0]/g, (character) => (character === '\0' ? '\uFFFD' : `&#${character.charCodeAt(0)};`));
}

/** Links and forms stay on this server: `//host`, `/\host`, `javascript:` and any absolute URL are refused. */
function requireOwnPath(path: string): string {
  if (/^\/(?![/\\])[\x21-\x7E]*$/.test(path) && !path.includes('\\')) return path;
  throw new Error('A link must be a path of this server.');
}

/** Reads the fixed part of a template as HTML would and names the place of every interpolation. */
function findSlots(strings: TemplateStringsArray): Slot[] {
  const slots: Slot[] = [];
  let place: 'text' | 'tag' | 'value' = 'text';
  let tag = '';
  for (const [index, fixed] of strings.entries()) {
    for (const character of fixed) {
      if (place === 'text') {
        if (character === '<') [place, tag] = ['tag', ''];
      } else if (place === 'tag') {
        if (character === '"') place = 'value';
        else if (character === '>') place = 'text';
        else if (character === "'") throw new Error('Attribute values are quoted with ".');
        tag += character;
        if (/^(script|style|iframe|object|embed|base)\b/i.test(tag)) throw new Error(`No <${tag}> in a view.`);
        if (/\s(style|srcdoc|on\w+)=$/i.test(tag)) throw new Error(`No such attribute in a view: ${tag}`);
      } else if (character === '"') {
        place = 'tag';
      }
    }
    if (index === strings.length - 1) break;
    const attribute = /([\w-]+)="$/.exec(tag)?.[1]?.toLowerCase();
    if (place === 'tag' && tag.endsWith('=')) throw new Error('Attribute values are quoted with ".');
    slots.push(place === 'value' && pathAttributes.has(attribute ?? '') ? 'path' : place);
  }
  if (place !== 'text') throw new Error('A template must close its tags.');
  return slots;
}
