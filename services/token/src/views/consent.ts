import { accountBar } from './account.ts';
import { hiddenFields } from './fields.ts';
import { attributes, type Html, html } from './html.ts';
import { page } from './layout.ts';
import { ascii, visible } from './visible.ts';

export type ConsentClient = {
  name: string;
  id: string;
  /** Somebody answerable for this server has looked at the client. */
  verified: boolean;
  /** How the client came to be known: an administrator, its own registration (RFC 7591), or its metadata document. */
  source: 'admin' | 'dcr' | 'cimd';
};

export type ConsentRedirect = {
  /** Host and port, or the scheme, as ASCII (`URL.host`). */
  display: string;
  loopback: boolean;
  privateScheme: boolean;
};

export type ConsentScope = { name: string; description?: string | undefined; alreadyGranted?: boolean | undefined };

export type ConsentPage = {
  /** Where the form posts `request`, `csrf_token`, `action` (allow or deny) and one `scopes` for each ticked box. */
  action: string;
  csrfToken: string;
  request: string;
  client: ConsentClient;
  user: { email: string; name?: string | undefined };
  resource?: { displayName?: string | undefined; slug: string; uri: string } | undefined;
  redirect: ConsentRedirect;
  scopes: readonly ConsentScope[];
  /** The client also asks for refresh tokens. */
  offlineAccess?: boolean | undefined;
  /** Where signing out posts to. */
  switchAccountAction?: string | undefined;
};

/**
 * Asks the user whether a client may act for them. Nothing here is the client's word alone: next to the name it chose
 * stand its id, the place the answer goes to and how much is known about it, because anyone may register any name.
 */
export function consentPage(view: ConsentPage): string {
  const { action, csrfToken, request, client, user, resource, redirect, scopes, offlineAccess } = view;
  const clientName = visible(client.name, 60) || 'An app without a name';
  const resourceName = resource && (visible(resource.displayName, 60) || ascii(resource.slug, 80));

  // Deny comes first in the document: pressing Enter in a form presses its first button.
  const body = html`${accountBar({ ...user, csrfToken, request, action: view.switchAccountAction })}
<h1>Allow this app to use ${resourceName ? html`<bdi>${resourceName}</bdi>` : 'your account'}?</h1>
<dl class="facts">
<div><dt>App</dt>
<dd class="name"><bdi>${clientName}</bdi> ${verification(client)}</dd>
<dd class="small soft">${provenance(client)}</dd>
<dd class="small"><span class="soft">ID</span> <code><bdi>${ascii(client.id)}</bdi></code></dd></div>
<div><dt>Either answer sends your browser to</dt>
${destination(redirect)}</div>
${
  resource &&
  html`<div><dt>Access to</dt>
<dd><strong><bdi>${resourceName}</bdi></strong></dd>
<dd class="small"><code><bdi>${ascii(resource.uri)}</bdi></code></dd></div>`
}
</dl>
<form method="post" action="${action}">
${hiddenFields({ csrf_token: csrfToken, request })}
${scopes.length > 0 ? scopeChoices(scopes) : html`<p>It names no particular permission.</p>`}
${
  offlineAccess &&
  html`<p class="small soft">If you allow it, the app can stay connected, also while you are away, until an administrator removes its access.</p>`
}
<p class="small"><strong>Did you start this yourself, just now?</strong> If not, choose Deny.</p>
<div class="choice">
<button class="plain" type="submit" name="action" value="deny">Deny</button>
<button type="submit" name="action" value="allow">Allow</button>
</div>
</form>`;
  return page({ title: `Allow ${visible(client.name, 40) || 'an app'}?`, body });
}

function verification({ verified }: ConsentClient): Html {
  return verified ? html`<span class="badge good">verified</span>` : html`<span class="badge warn">unverified</span>`;
}

function provenance({ verified, source }: ConsentClient): string {
  if (verified) return 'An administrator of this server has checked this app.';
  if (source === 'admin') return 'An administrator added this app to this server.';
  if (source === 'cimd') return 'The site in its ID publishes this name. Nobody here has checked it.';
  return 'The app registered itself under this name. Anyone can use any name.';
}

function destination({ display, loopback, privateScheme }: ConsentRedirect): Html {
  const shown = html`<code><bdi>${ascii(display)}</bdi></code>`;
  if (loopback) {
    return html`<dd class="phrase">an app on this device</dd>
<dd class="small">${shown}</dd>
<dd class="notice warn small">Any program on this computer can listen at this address. Allow it only if you just started the app here.</dd>`;
  }
  if (privateScheme) {
    return html`<dd class="phrase">an app on this device</dd>
<dd class="small">the one that opens ${shown} links</dd>
<dd class="notice warn small">Any app installed here can claim these links. Allow it only if you just started the app here.</dd>`;
  }
  return html`<dd class="host"><bdi>${ascii(display)}</bdi></dd>`;
}

function scopeChoices(scopes: readonly ConsentScope[]): Html {
  return html`<fieldset>
<legend>The app asks to</legend>
<ul class="scopes">
${scopes.map(scopeChoice)}
</ul>
<p class="small soft">Untick what you do not want to allow.</p>
</fieldset>`;
}

function scopeChoice({ name, description, alreadyGranted }: ConsentScope, index: number): Html {
  const described = visible(description, 200);
  const code = html`<code><bdi>${ascii(name, 120)}</bdi></code>`;
  return html`<li><label for="scope-${index}">
<input id="scope-${index}" type="checkbox" name="scopes"${attributes({ value: name, checked: true })}>
<span>${described ? html`<bdi>${described}</bdi><br>${code}` : code}
${alreadyGranted && html`<span class="badge">allowed before</span>`}</span>
</label></li>`;
}
