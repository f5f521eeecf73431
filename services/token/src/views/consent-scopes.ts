import { attributes, type Html, html } from './html.ts';
import { groupScopes } from './scope-groups.ts';
import { ascii, visible } from './visible.ts';

export type ConsentScope = {
  name: string;
  description?: string | undefined;
  /** The user allowed it before: it is shown after what is new. */
  alreadyGranted?: boolean | undefined;
  /** The names of the resources that offer it, when the request is for several. */
  at?: readonly string[] | undefined;
};

type Numbered = ConsentScope & { index: number };

/**
 * The permissions to choose from: what is new first, what was allowed before folded away. A scope that several resources
 * offer stands there once, with all their names: it cannot be allowed at one of them alone.
 */
export function scopeChoices(scopes: readonly ConsentScope[]): Html {
  const numbered = scopes.map((scope, index) => ({ ...scope, index }));
  const fresh = numbered.filter(({ alreadyGranted }) => !alreadyGranted);
  const before = numbered.filter(({ alreadyGranted }) => alreadyGranted);
  const folded = fresh.length > 0 && before.length > 0;
  return html`<fieldset>
<legend>The app asks ${folded && 'in addition '}to</legend>
${sections(folded ? fresh : numbered)}
${
  folded &&
  html`<details>
<summary>What you allowed before (${before.length})</summary>
${sections(before)}
</details>`
}
<p class="small soft">Untick what you do not want to allow${before.length > 0 && '; what you untick is also taken back where you allowed it before'}.</p>
</fieldset>`;
}

/** One list for each set of resources, in groups when it is long. */
function sections(scopes: readonly Numbered[]): Html[] {
  const places = Map.groupBy(scopes, ({ at = [] }) => at.join('\n'));
  return [...places.values()].map((members) => {
    const at = members[0]?.at ?? [];
    return html`${at.length > 0 && html`<h3>At ${at.map((name, index) => html`${index > 0 && ' and '}<bdi>${visible(name, 60)}</bdi>`)}</h3>`}
${groupScopes(members).map(
  (group) => html`${group.prefix && html`<h4><bdi>${ascii(group.prefix, 60)}</bdi> (${group.scopes.length})</h4>`}
<ul class="scopes">
${group.scopes.map(scopeChoice)}
</ul>`,
)}`;
  });
}

function scopeChoice({ name, description, alreadyGranted, index }: Numbered): Html {
  const described = visible(description, 200);
  const code = html`<code><bdi>${ascii(name, 120)}</bdi></code>`;
  return html`<li><label for="scope-${index}">
<input id="scope-${index}" type="checkbox" name="scopes"${attributes({ value: name, checked: true })}>
<span>${described ? html`<bdi>${described}</bdi><br>${code}` : code}
${alreadyGranted && html`<span class="badge">allowed before</span>`}</span>
</label></li>`;
}
