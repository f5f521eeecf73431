import { accountBar } from './account.ts';
import { hiddenFields } from './fields.ts';
import { attributes, type Html, html } from './html.ts';
import { page } from './layout.ts';
import { ascii, visible } from './visible.ts';

export type AccountApp = {
  /** Of the consent; comes back as `consent` when it is taken back. */
  id: string;
  name: string;
  clientId: string;
  source: 'admin' | 'dcr' | 'cimd';
  /** An administrator has stopped the app for everybody. */
  blocked: boolean;
  /** Undefined: the authorization server itself. */
  resource: { displayName: string; slug: string; uri: string | undefined } | undefined;
  scopes: readonly string[];
  since: Date;
  lastUsed: Date | undefined;
};

export type AccountSession = {
  /** Comes back as `session` when it is ended. */
  id: string;
  /** Browser and system, in our words. */
  browser: string;
  ip: string | undefined;
  signedInAt: Date;
  current: boolean;
};

/** What a post did; the page says so once. */
export const accountNews = {
  consent: 'The app no longer has access.',
  'all-consents': 'No app has access any longer.',
  session: 'That browser is signed out.',
  'other-sessions': 'All other browsers are signed out.',
  nothing: 'There was nothing left to end: it had ended before.',
} as const;
export type AccountNews = keyof typeof accountNews;

export type AccountPage = {
  user: { email: string; name?: string | undefined };
  csrfToken: string;
  /** Where the forms post `csrf_token`, `action` and `consent` or `session`. */
  action: string;
  signOutAction: string;
  apps: readonly AccountApp[];
  sessions: readonly AccountSession[];
  /** There are more of them than are shown. */
  more: { apps: boolean; sessions: boolean };
  news?: AccountNews | undefined;
};

/** Lets people see what may act for them and where they are signed in, and end it. */
export function accountPage(view: AccountPage): string {
  const { user, csrfToken, action, signOutAction, apps, sessions, more, news } = view;
  const form = { action, csrfToken };
  const others = sessions.some(({ current }) => !current);

  const body = html`${accountBar({ ...user, csrfToken, action: signOutAction })}
<h1>Your account</h1>
${news && html`<p class="notice" role="status">${accountNews[news]}</p>`}
<h2 id="apps">Apps that may act for you</h2>
${
  apps.length === 0
    ? html`<p>You have not allowed any app. When you do, it is listed here and you can take it back.</p>`
    : html`<ul class="rows" aria-labelledby="apps">
${apps.map((app, index) => appRow(app, index, form))}
</ul>`
}
${more.apps && html`<p class="small soft">There are more; take some of these back to see them.</p>`}
${apps.length > 1 && endAll(form, 'end_apps', 'Take back all of them')}
<h2 id="sessions">Where you are signed in</h2>
<ul class="rows" aria-labelledby="sessions">
${sessions.map((session, index) => sessionRow(session, index, form))}
</ul>
${more.sessions && html`<p class="small soft">There are more; these are the latest.</p>`}
${others && endAll(form, 'end_other_sessions', 'Sign out everywhere else')}
<p class="small soft">Signing out does not end the access of apps, and taking an app back signs nobody out.</p>`;
  return page({ title: 'Your account', body, wide: true });
}

type Form = { action: string; csrfToken: string };

function appRow(app: AccountApp, index: number, form: Form): Html {
  const name = visible(app.name, 60) || 'An app without a name';
  const { resource } = app;
  return html`<li>
<div><p class="name" id="app-${index}"><bdi>${name}</bdi> ${app.blocked && html`<span class="badge bad">blocked</span>`}</p>
<p class="small soft">${provenance(app.source)} <span>ID</span> <code><bdi>${ascii(app.clientId, 120)}</bdi></code></p>
<p class="small">${
    resource
      ? html`Uses <strong><bdi>${visible(resource.displayName, 60) || ascii(resource.slug, 80)}</bdi></strong>
${resource.uri !== undefined && html`<code><bdi>${ascii(resource.uri, 160)}</bdi></code>`}`
      : 'Uses your account at this server'
  }</p>
${
  app.scopes.length > 0 &&
  html`<p class="small">May ${app.scopes.map((scope) => html`<code class="badge"><bdi>${ascii(scope, 120)}</bdi></code> `)}</p>`
}
<p class="small soft">Since ${when(app.since)}; ${
    app.lastUsed ? html`last token ${when(app.lastUsed)}` : 'holds nothing at the moment'
  }</p></div>
${rowForm(form, 'end_app', { consent: app.id }, 'Take back', `app-${index}`)}
</li>`;
}

function provenance(source: AccountApp['source']): string {
  if (source === 'admin') return 'Added by an administrator.';
  if (source === 'cimd') return 'Name published by the site in its ID.';
  return 'Registered itself under this name.';
}

function sessionRow({ id, browser, ip, signedInAt, current }: AccountSession, index: number, form: Form): Html {
  return html`<li>
<div><p class="name" id="session-${index}">${browser} ${current && html`<span class="badge good">this browser</span>`}</p>
<p class="small soft">${ip !== undefined && html`<code>${ascii(ip, 60)}</code>, `}signed in ${when(signedInAt)}</p></div>
${!current && rowForm(form, 'end_session', { session: id }, 'Sign out', `session-${index}`)}
</li>`;
}

/** The button is described by the row it stands in: ten buttons called "Take back" are no help to who cannot see. */
function rowForm(form: Form, action: string, fields: Record<string, string>, label: string, describedBy: string): Html {
  return html`<form method="post" action="${form.action}">
${hiddenFields({ csrf_token: form.csrfToken, ...fields })}
<button class="plain" type="submit" name="action" value="${action}"${attributes({ 'aria-describedby': describedBy })}>${label}</button>
</form>`;
}

function endAll(form: Form, action: string, label: string): Html {
  return html`<form method="post" action="${form.action}">
${hiddenFields({ csrf_token: form.csrfToken })}
<button class="second" type="submit" name="action" value="${action}">${label}</button>
</form>`;
}

/** For people everywhere: we do not know their time zone, so we name ours. */
function when(time: Date): Html {
  const text = time.toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' });
  return html`<time datetime="${time.toISOString()}">${text} UTC</time>`;
}
