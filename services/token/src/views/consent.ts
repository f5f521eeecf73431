import { accountBar } from './account.ts';
import { type ConsentScope, scopeChoices } from './consent-scopes.ts';
import { hiddenFields } from './fields.ts';
import { type Html, html } from './html.ts';
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

/** A resource the app wants to use. Its name is the operator's word. */
export type ConsentResource = { displayName?: string | undefined; slug: string; uri: string };

export type ConsentPage = {
  /** Where the form posts `request`, `csrf_token`, `action` (allow or deny) and one `scopes` for each ticked box. */
  action: string;
  csrfToken: string;
  request: string;
  client: ConsentClient;
  user: { email: string; name?: string | undefined };
  /** None: the authorization server itself. */
  resources: readonly ConsentResource[];
  /** None: the answer ends at a page of ours. */
  redirect?: ConsentRedirect | undefined;
  /** Who asks on behalf of the client, if it is another one. */
  actor?: ConsentClient | undefined;
  /** What the client has there already and keeps, whatever the answer. */
  kept?: readonly string[] | undefined;
  scopes: readonly ConsentScope[];
  /** The client also asks for refresh tokens. */
  offlineAccess?: boolean | undefined;
  /** Where signing out posts to. */
  switchAccountAction?: string | undefined;
  /** What goes on after that, as the fields that carry it; the request itself unless said. */
  next?: Readonly<Record<string, string>> | undefined;
  /** Where people take back what they allowed. */
  accountPath: string;
  /** Asked again, because the app has become another since. */
  changed?: boolean | undefined;
};

/**
 * Asks the user whether a client may act for them. Nothing here is the client's word alone: next to the name it chose
 * stand its id, the place the answer goes to and how much is known about it, because anyone may register any name.
 */
export function consentPage(view: ConsentPage): string {
  const {
    action,
    csrfToken,
    request,
    client,
    user,
    resources,
    redirect,
    actor,
    kept = [],
    scopes,
    offlineAccess,
  } = view;
  const [only, ...others] = resources;

  // Deny comes first in the document: pressing Enter in a form presses its first button.
  const onwards = view.next ? { next: view.next } : { request };
  const body = html`${accountBar({ ...user, csrfToken, ...onwards, action: view.switchAccountAction })}
<h1>Allow this app to use ${!only ? 'your account' : others.length > 0 ? `${resources.length} servers` : html`<bdi>${resourceName(only)}</bdi>`}?</h1>
${view.changed && changedNotice}
<dl class="facts">
${appFact(client)}
${actor && actorFact(actor)}
<div><dt>Either answer ${redirect ? 'sends your browser to' : 'ends here'}</dt>
${redirect ? destination(redirect) : html`<dd class="small">Then go back to your application.</dd>`}</div>
${accessFact(resources)}
${kept.length > 0 && keptFact(kept)}
</dl>
<form method="post" action="${action}">
${hiddenFields({ csrf_token: csrfToken, request })}
${scopes.length > 0 ? scopeChoices(scopes) : html`<p>It names no particular permission.</p>`}
${
  offlineAccess &&
  html`<p class="small soft">If you allow it, the app can stay connected, also while you are away, until you take its access back on <a href="${view.accountPath}">your account page</a>.</p>`
}
<p class="small"><strong>Did you start this yourself, just now?</strong> If not, choose Deny.</p>
<div class="choice">
<button class="plain" type="submit" name="action" value="deny">Deny</button>
<button type="submit" name="action" value="allow">Allow</button>
</div>
</form>`;
  return page({ title: `Allow ${visible(client.name, 40) || 'an app'}?`, body });
}

/** Stands above a question that is asked again. */
export const changedNotice = html`<p class="notice warn" role="alert"><strong>Nothing was allowed: the app has changed its name, addresses or keys since you were asked. Look again.</strong></p>`;

/** Who asks, and what is known about them. */
export function appFact(client: ConsentClient): Html {
  return html`<div><dt>App</dt>
<dd class="name"><bdi>${visible(client.name, 60) || 'An app without a name'}</bdi> ${verification(client)}</dd>
${client.source === 'cimd' && html`<dd class="host"><bdi>${ascii(URL.parse(client.id)?.host)}</bdi></dd>`}
<dd class="small soft">${provenance(client)}</dd>
<dd class="small"><span class="soft">ID</span> <code><bdi>${ascii(client.id)}</bdi></code></dd></div>`;
}

/** Whoever wanted to use the client's token elsewhere: what is allowed is allowed to the client, and used by this one. */
function actorFact(actor: ConsentClient): Html {
  return html`<div><dt>Asked by a server that works for the app</dt>
<dd><strong><bdi>${visible(actor.name, 60) || 'A server without a name'}</bdi></strong> ${verification(actor)}</dd>
<dd class="small"><span class="soft">ID</span> <code><bdi>${ascii(actor.id)}</bdi></code></dd></div>`;
}

function keptFact(kept: readonly string[]): Html {
  return html`<div><dt>You allowed this there before; it stays</dt>
<dd class="small">${kept.map((name, index) => html`${index > 0 && ', '}<code><bdi>${ascii(name, 120)}</bdi></code>`)}</dd></div>`;
}

/** What is to be used; nothing for the authorization server itself. */
export function accessFact(resources: readonly ConsentResource[]): Html | false {
  return (
    resources.length > 0 &&
    html`<div><dt>Access to</dt>
${resources.map(
  (resource) => html`<dd><strong><bdi>${resourceName(resource)}</bdi></strong></dd>
<dd class="small"><code><bdi>${ascii(resource.uri)}</bdi></code></dd>`,
)}</div>`
  );
}

/** What the operator calls a resource. */
export function resourceName({ displayName, slug }: Pick<ConsentResource, 'displayName' | 'slug'>): string {
  return visible(displayName, 60) || ascii(slug, 80);
}

export function verification({ verified }: ConsentClient): Html {
  return verified ? html`<span class="badge good">verified</span>` : html`<span class="badge warn">unverified</span>`;
}

export function provenance({ verified, source }: ConsentClient): string {
  if (verified || source === 'admin') return 'This app was added by an administrator of this server.';
  if (source === 'cimd') return 'This site publishes the app under that name. Nobody here has checked it.';
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
