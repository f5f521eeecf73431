import { hiddenFields } from './fields.ts';
import { attributes, html } from './html.ts';
import { page } from './layout.ts';
import { ascii, visible } from './visible.ts';

export type LoginPage = {
  /** Where the form posts `email`, `password`, `request` and `csrf_token`; without it nobody has a password here. */
  form: { action: string; csrfToken: string } | undefined;
  /** The authorization request that waits for this sign-in. */
  request?: string | undefined;
  /** The page of ours that waits for this sign-in, as the fields that carry it. */
  next?: ({ next: keyof typeof purposes } & Readonly<Record<string, string>>) | undefined;
  /** What was typed before; the password never comes back. */
  email?: string | undefined;
  /** Why the last attempt failed, in words that do not tell whether the account exists. */
  problem?: string | undefined;
  retryAfterSeconds?: number | undefined;
  clientName?: string | undefined;
  /** An administrator made the client; the name of any other is its own word. */
  clientVerified?: boolean | undefined;
  /** Host or scheme of the client's redirect URI. */
  redirectHost?: string | undefined;
  /** Another way in, at a path of this server. */
  identityProvider?: { displayName: string; href: string } | undefined;
};

const purposes = {
  account: 'to see your apps and where you are signed in',
  device: 'to connect a device. You can compare its code on the next page.',
  consent: 'to see what an app asks you to allow. You decide on the next page.',
};

/** Asks for e-mail and password, or leads to the identity provider, and says for which app. */
export function loginPage(view: LoginPage): string {
  const { form, identityProvider, request, email, problem, retryAfterSeconds, clientName, redirectHost } = view;
  const failed = problem !== undefined || retryAfterSeconds !== undefined;
  const describedBy = failed ? 'problem' : undefined;

  const body = html`<h1>Sign in</h1>
${
  clientName !== undefined &&
  html`<p>to continue to “<strong><bdi>${visible(clientName, 60) || 'an app without a name'}</bdi></strong>”
${!view.clientVerified && html`<span class="badge warn">unverified name</span>`}</p>`
}
${clientName === undefined && view.next && html`<p>${purposes[view.next.next]}</p>`}
${
  redirectHost !== undefined &&
  html`<p class="small soft">The app receives its answer at <code><bdi>${ascii(redirectHost)}</bdi></code></p>`
}
${
  failed &&
  html`<div class="notice bad" id="problem" role="alert">
<p><strong>${problem ?? 'You could not be signed in.'}</strong></p>
${retryAfterSeconds !== undefined && html`<p>Try again in ${waitText(retryAfterSeconds)}.</p>`}
</div>`
}
${
  form &&
  html`<form method="post" action="${form.action}">
${hiddenFields({ csrf_token: form.csrfToken, request, ...view.next })}
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" inputmode="email" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="254" required${attributes({ value: email, autofocus: !email, 'aria-describedby': describedBy })}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required${attributes({ autofocus: Boolean(email), 'aria-describedby': describedBy })}>
<button class="stretch" type="submit">Sign in</button>
</form>`
}
${form && identityProvider && html`<p class="or">or</p>`}
${
  identityProvider &&
  html`<a class="button${form ? ' second' : ' stretch'}" href="${identityProvider.href}">Continue with ${visible(identityProvider.displayName, 40)}</a>`
}
${!form && !identityProvider && html`<p>Nobody can sign in here at the moment. Please tell whoever runs this server.</p>`}`;
  return page({ title: failed ? 'Problem: Sign in' : 'Sign in', body });
}

/** Seconds as a person would say them, rounded up so that the wait is never too short. */
export function waitText(seconds: number): string {
  const whole = Math.max(1, Math.ceil(seconds));
  if (whole < 60) return whole === 1 ? '1 second' : `${whole} seconds`;
  const minutes = Math.ceil(whole / 60);
  return minutes === 1 ? 'a minute' : `${minutes} minutes`;
}
