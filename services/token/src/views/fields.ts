import { attributes, type Html, html } from './html.ts';

/** Hidden inputs; an undefined value writes none. */
export function hiddenFields(fields: Record<string, string | undefined>): Html[] {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => html`<input type="hidden" name="${name}"${attributes({ value })}>`);
}
