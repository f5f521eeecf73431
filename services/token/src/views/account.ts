import { hiddenFields } from './fields.ts';
import { type Html, html } from './html.ts';
import { visible } from './visible.ts';

export type Account = {
  email: string;
  name?: string | undefined;
  csrfToken: string;
  /** Where signing out posts to. */
  action?: string | undefined;
  /** The request in progress, so that another account can take it up after signing out. */
  request?: string | undefined;
  /** The same for a page of ours, as the fields that carry it. */
  next?: Readonly<Record<string, string>> | undefined;
};

/** Says who is signed in, and lets somebody else say that it is not them. */
export function accountBar({ email, name, csrfToken, action = '/logout', request, next }: Account): Html {
  const shownName = visible(name, 40);
  const shownEmail = html`<strong><bdi>${visible(email, 254)}</bdi></strong>`;
  const who = shownName ? html`<bdi>${shownName}</bdi> (${shownEmail})` : shownEmail;
  return html`<div class="account">
<p>Signed in as ${who}</p>
<form method="post" action="${action}">
${hiddenFields({ csrf_token: csrfToken, request, ...next })}
<button class="link" type="submit">${request === undefined && next === undefined ? 'Sign out' : 'Not you? Sign out'}</button>
</form>
</div>`;
}
