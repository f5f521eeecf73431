import { hiddenFields } from './fields.ts';
import { html } from './html.ts';
import { page } from './layout.ts';
import { visible } from './visible.ts';

export type OtherUserPage = {
  csrfToken: string;
  /** Who is signed in. */
  user: { email: string };
  /** Where signing out posts to, and what then goes on, as the fields that carry it. */
  signOutAction: string;
  next: Readonly<Record<string, string>>;
};

/** The question is for another account. Neither whose that is nor what is asked: whoever was sent the link sees this. */
export function otherUserPage({ csrfToken, user, signOutAction, next }: OtherUserPage): string {
  const title = 'This question is for another account';
  const body = html`<h1>${title}</h1>
<p>You are signed in as <strong><bdi>${visible(user.email, 254)}</bdi></strong>, and the app asks somebody else.
If you use the app with another account, sign in with that one.</p>
<p class="notice warn small">If somebody sent you this link, close this page.</p>
<form method="post" action="${signOutAction}">
${hiddenFields({ csrf_token: csrfToken, ...next })}
<button class="stretch" type="submit">Sign in with another account</button>
</form>`;
  return page({ title, body });
}
