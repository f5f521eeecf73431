import { accountBar } from './account.ts';
import {
  accessFact,
  appFact,
  type ConsentClient,
  type ConsentResource,
  changedNotice,
  resourceName,
} from './consent.ts';
import { type ConsentScope, scopeChoices } from './consent-scopes.ts';
import { hiddenFields } from './fields.ts';
import { attributes, type Html, html } from './html.ts';
import { page } from './layout.ts';
import { ascii, visible } from './visible.ts';

type Here = {
  /** Where the form posts `csrf_token` and what the page asks for. */
  action: string;
  csrfToken: string;
  user: { email: string; name?: string | undefined };
  /** Where signing out posts to. */
  switchAccountAction: string;
};

export type DeviceCodePage = Here & {
  /** In two groups, when it came with the address: then it is compared and not typed. */
  userCode?: string | undefined;
  /** What was typed before, and why that did not do. */
  typed?: string | undefined;
  problem?: string | undefined;
};

/**
 * Asks for the code that a device shows; it comes back as `user_code`. A code that came with the address is still
 * confirmed by hand: a link can be sent by anybody (RFC 8628 §3.3.1, §5.4).
 */
export function deviceCodePage(view: DeviceCodePage): string {
  const { action, csrfToken, user, switchAccountAction, userCode, typed, problem } = view;
  const next = { next: 'device' as const, ...(userCode === undefined ? {} : { user_code: userCode }) };
  const body = html`${accountBar({ ...user, csrfToken, action: switchAccountAction, next })}
<h1>Connect a device</h1>
${problem !== undefined && html`<p class="notice bad" id="problem" role="alert"><strong>${problem}</strong></p>`}
${userCode === undefined ? typing(view) : comparing(userCode)}
<form method="post" action="${action}">
${
  userCode === undefined
    ? html`${hiddenFields({ csrf_token: csrfToken })}
<label for="user-code">Code</label>
<input class="code" id="user-code" name="user_code" type="text" autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="32" placeholder="XXXX-XXXX" required${attributes({ value: typed, autofocus: true, 'aria-describedby': problem === undefined ? undefined : 'problem' })}>
<button class="stretch" type="submit">Continue</button>`
    : html`${hiddenFields({ csrf_token: csrfToken, user_code: userCode })}
<button class="stretch" type="submit">Yes, my device shows this code</button>`
}
</form>
${userCode === undefined && warning}`;
  return page({ title: problem === undefined ? 'Connect a device' : 'Problem: Connect a device', body });
}

const warning = html`<p class="notice warn small"><strong>Only go on if you started this yourself, on a device in front of you.</strong>
A code or link that somebody sent you connects <em>their</em> device to your account. No one from support will ever ask you for it.</p>`;

const typing = ({ problem }: DeviceCodePage): Html =>
  html`<p>${problem === undefined ? 'Enter' : 'Check'} the code that is shown on your device.</p>`;

const comparing = (userCode: string): Html => html`<p>Does your device show this code, right now?</p>
<p class="user-code">${userCode}</p>
${warning}`;

export type DevicePage = Here & {
  /** Comes back with the answer: what is allowed is what is shown. */
  request: string;
  userCode: string;
  client: ConsentClient;
  resources: readonly ConsentResource[];
  scopes: readonly ConsentScope[];
  offlineAccess: boolean;
  /** Where people take back what they allowed. */
  accountPath: string;
  /** Where the device asked from, whether that is where the person is, and how long ago. */
  origin: { ip: string; same: boolean; minutesAgo: number };
  /** Asked again, because the app has become another since. */
  changed?: boolean | undefined;
};

/** Asks whether the device may act for the person: `action` (allow or deny) and one `scopes` for each ticked box. */
export function devicePage(view: DevicePage): string {
  const { action, csrfToken, request, user, switchAccountAction, userCode, client, resources, scopes } = view;
  const [only, ...others] = resources;
  const next = { next: 'device' as const, user_code: userCode };

  // Deny comes first in the document: pressing Enter in a form presses its first button.
  const body = html`${accountBar({ ...user, csrfToken, action: switchAccountAction, next })}
<h1>Let this device use ${!only ? 'your account' : others.length > 0 ? `${resources.length} servers` : html`<bdi>${resourceName(only)}</bdi>`}?</h1>
${view.changed && changedNotice}
${warning}
<dl class="facts">
<div><dt>Code on the device</dt>
<dd class="host">${userCode}</dd>
<dd class="small soft">If your device shows another one, choose Deny.</dd></div>
${appFact(client)}
<div><dt>Asked from</dt>
<dd><code>${ascii(view.origin.ip, 60)}</code>, ${agoText(view.origin.minutesAgo)}</dd>
<dd class="small soft">${
    view.origin.same
      ? 'The address your browser has as well.'
      : 'Your browser has another address. That is usual for a server, and a warning sign for a device in the same room.'
  }</dd></div>
${accessFact(resources)}
</dl>
<form method="post" action="${action}">
${hiddenFields({ csrf_token: csrfToken, request })}
${scopes.length > 0 ? scopeChoices(scopes) : html`<p>It names no particular permission.</p>`}
${
  view.offlineAccess &&
  html`<p class="small soft">If you allow it, the device can stay connected, also while you are away, until you take its access back on <a href="${view.accountPath}">your account page</a>.</p>`
}
<div class="choice">
<button class="plain" type="submit" name="action" value="deny">Deny</button>
<button type="submit" name="action" value="allow">Allow</button>
</div>
</form>`;
  return page({ title: `Allow ${visible(client.name, 40) || 'an app'} on a device?`, body });
}

function agoText(minutes: number): string {
  if (minutes < 1) return 'just now';
  return minutes === 1 ? 'a minute ago' : `${minutes} minutes ago`;
}
