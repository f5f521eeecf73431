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
};

/** Says who is signed in, and lets somebody else say that it is not them. */
export function accountBar({ email, name, csrfToken, action = '/logout', request }: Account): Html {
  const shownName = visible(name, 40);
  const shownEmail = html`<strong><bdi>${visible(email, 254)}</bdi></strong>`;
  const who = shownName ? html`<bdi>${shownName}</bdi> (${shownEmail})` : shownEmail;
  return html`<div class="account">
<p>Signed in as ${who}</p>
<form method="post" action="${action}">
${hiddenFields({ csrf_token: csrfToken, request })}
<button class="link" type="submit">${request === undefined ? 'Sign out' : 'Not you? Sign out'}</button>
</form>
</div>`;
}
