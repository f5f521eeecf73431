import { accountBar } from './account.ts';
import { html } from './html.ts';
import { page } from './layout.ts';
import { visible } from './visible.ts';

export type HomePage = {
  issuer: string;
  version: string;
  /** Address of the RFC 8414 document; linked by its path when it is on the issuer's origin. */
  metadataUrl: string;
  /** One sentence on where administration happens. */
  adminHint?: string | undefined;
  /** E-mail address of the session; needs `csrfToken` for its sign-out form. */
  signedInAs?: string | undefined;
  csrfToken?: string | undefined;
  /** Where signing out posts to, and the page about oneself. */
  signOutAction?: string | undefined;
  accountHref?: string | undefined;
  steps: readonly { title: string; command: string }[];
  /** What `/ready` would answer. */
  ready: boolean;
};

/** The page at `/`: where you are, whether it works, and what to do next. */
export function homePage(view: HomePage): string {
  const { issuer, version, metadataUrl, adminHint, signedInAs, csrfToken, steps, ready } = view;
  const { signOutAction = '/logout', accountHref = '/account' } = view;
  const metadata = new URL(metadataUrl);
  const metadataPath = metadata.origin === new URL(issuer).origin ? metadata.pathname : undefined;
  const documents = [
    { name: 'Server metadata', path: metadataPath, meaning: 'what clients read first (RFC 8414)' },
    { name: 'Signing keys', path: '/.well-known/jwks.json', meaning: 'for verifying tokens (JWKS)' },
    { name: 'Health', path: '/health', meaning: 'this process and its database' },
  ];

  const body = html`${signedInAs !== undefined && csrfToken !== undefined && accountBar({ email: signedInAs, csrfToken, action: signOutAction })}
<div class="title"><h1>${ready ? 'authserver is running' : 'authserver is starting'}</h1>
${ready ? html`<span class="badge good">ready</span>` : html`<span class="badge bad">not ready</span>`}</div>
<p>This is an OAuth 2.1 authorization server for the Model Context Protocol. It signs people in, asks them which apps
may act for them, and issues the tokens those apps use.</p>
<p>Issuer <code>${issuer}</code> <span class="soft">· version ${version}</span></p>
${!ready && html`<p class="notice bad">It cannot serve requests yet. <a href="/ready">See what it is waiting for</a>.</p>`}
<p><a class="button second" href="${accountHref}">${signedInAs === undefined ? 'Sign in to see' : 'See'} your apps and where you are signed in</a></p>
${
  steps.length > 0 &&
  html`<h2>Next steps</h2>
<ol class="steps">
${steps.map(
  ({ title, command }) => html`<li><h3>${visible(title, 120)}</h3>
<pre><code>${command}</code></pre></li>`,
)}
</ol>`
}
<h2>Documents</h2>
<ul class="links">
${documents.map(
  ({ name, path, meaning }) =>
    path !== undefined &&
    html`<li><a href="${path}"><strong>${name}</strong> <span class="soft">${meaning}</span><br><code>${path}</code></a></li>`,
)}
</ul>
${adminHint !== undefined && html`<p class="notice">${visible(adminHint, 300)}</p>`}`;
  return page({ title: 'Home', body, wide: true });
}
