import { createHash } from 'node:crypto';

/** The one stylesheet of every page. Colours meet WCAG 2.2 AA against the surface they stand on, in both schemes. */
export const stylesheet = `
:root {
  color-scheme: light dark;
  --page: #f1f4f8; --card: #ffffff; --inset: #f5f7fb; --line: #d5dce6; --field: #6b7789;
  --ink: #16202e; --soft: #4c5a6d; --accent: #2447b3; --on-accent: #ffffff; --plain: #46546a; --on-plain: #ffffff;
  --warn: #7a4300; --warn-surface: #fff5e2; --warn-line: #e2b56a;
  --bad: #a11a2b; --bad-surface: #fdeff0; --bad-line: #e39aa3;
  --good: #17653a; --good-surface: #e9f6ee; --good-line: #93ccaa;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0e141d; --card: #18212d; --inset: #111923; --line: #344254; --field: #8593a6;
    --ink: #e8edf4; --soft: #adb9c8; --accent: #9db9ff; --on-accent: #0d1830; --plain: #c3ccd8; --on-plain: #141c27;
    --warn: #ffcf82; --warn-surface: #2c2312; --warn-line: #7c5d21;
    --bad: #ffb0b6; --bad-surface: #331a1f; --bad-line: #8a3e48;
    --good: #98dcb2; --good-surface: #14291d; --good-line: #37704d;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; min-height: 100vh; display: flex; flex-direction: column; align-items: center;
  padding: clamp(1rem, 6vh, 4rem) 1rem 2rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
  overflow-wrap: anywhere;
}
header, main { width: 100%; max-width: 29rem; }
.wide header, .wide main { max-width: 44rem; }
header { display: flex; align-items: center; gap: .625rem; padding: 0 .25rem 1rem; font-weight: 650; letter-spacing: -.01em; }
header svg { width: 1.75rem; height: 1.75rem; flex: none; color: var(--accent); }
main { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: clamp(1.125rem, 5vw, 2rem); box-shadow: 0 1px 2px #0f1c3012, 0 8px 28px #0f1c300f; }
h1 { margin: 0; font-size: 1.5rem; line-height: 1.25; letter-spacing: -.015em; text-wrap: balance; }
h2 { margin: 1.75rem 0 .5rem; font-size: 1rem; line-height: 1.35; }
p { margin: .5rem 0 0; }
bdi { unicode-bidi: isolate; }
a { color: var(--accent); text-underline-offset: .15em; }
code, .host { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .875em; }
.soft { color: var(--soft); }
.small { font-size: .875rem; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }

label { display: block; margin: 1.125rem 0 .375rem; font-weight: 600; }
input[type=email], input[type=password], input[type=text] {
  width: 100%; min-height: 2.75rem; padding: .5rem .75rem; font: inherit; color: inherit;
  background: var(--card); border: 1px solid var(--field); border-radius: 8px;
}
input.code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; letter-spacing: .08em; text-transform: uppercase; }
input:focus-visible { outline-offset: 0; border-radius: 8px; }
button, .button {
  display: inline-flex; align-items: center; justify-content: center; min-height: 2.75rem; padding: .5rem 1.25rem;
  font: inherit; font-weight: 650; text-decoration: none; cursor: pointer; border: 1px solid transparent; border-radius: 8px;
  background: var(--accent); color: var(--on-accent); transition: filter .12s;
}
button:hover, .button:hover { filter: brightness(1.1); }
button:focus-visible, .button:focus-visible { border-radius: 8px; }
button.plain { background: var(--plain); color: var(--on-plain); }
button.link { min-height: 2.75rem; padding: 0; border: 0; background: none; color: var(--accent); font-weight: 600; text-decoration: underline; text-underline-offset: .15em; }
.stretch { width: 100%; margin-top: 1.5rem; }
.choice { display: grid; grid-template-columns: 1fr 1fr; gap: .75rem; margin-top: 1.25rem; }
.or { margin-top: 1.5rem; text-align: center; color: var(--soft); font-size: .875rem; }
.second { width: 100%; margin-top: .75rem; background: none; color: var(--accent); border-color: var(--field); }

.notice { margin-top: 1rem; padding: .75rem .875rem; border: 1px solid var(--line); border-radius: 8px; background: var(--inset); }
.notice p:first-child { margin-top: 0; }
.warn { background: var(--warn-surface); border-color: var(--warn-line); color: var(--warn); }
.bad { background: var(--bad-surface); border-color: var(--bad-line); color: var(--bad); }
.badge { display: inline-block; padding: .0625rem .5rem; border: 1px solid var(--line); border-radius: 99px; background: var(--inset); color: var(--soft); font-size: .8125rem; font-weight: 600; white-space: nowrap; vertical-align: .1em; }
.badge.warn { background: var(--warn-surface); border-color: var(--warn-line); color: var(--warn); }
.badge.good { background: var(--good-surface); border-color: var(--good-line); color: var(--good); }
.badge.bad { background: var(--bad-surface); border-color: var(--bad-line); color: var(--bad); }

.account { display: flex; flex-wrap: wrap; align-items: center; gap: 0 .75rem; margin: 0 0 1rem; padding-bottom: .375rem; border-bottom: 1px solid var(--line); font-size: .875rem; color: var(--soft); }
.account p { margin: 0; flex: 1 1 12rem; }
.account strong { color: var(--ink); }
.account form { margin: 0; }
.account .link { font-size: .875rem; }
.facts { margin: 1.25rem 0 0; border: 1px solid var(--line); border-radius: 10px; }
.facts > div { padding: .75rem .875rem; }
.facts > div + div { border-top: 1px solid var(--line); }
.facts dt { color: var(--soft); font-size: .875rem; }
.facts dd { margin: .125rem 0 0; }
.facts .name { font-size: 1.125rem; font-weight: 650; line-height: 1.3; }
.facts .host, .facts .phrase { font-size: 1.125rem; font-weight: 700; line-height: 1.35; }
.facts .notice { margin-top: .5rem; }
fieldset { margin: 1.5rem 0 0; padding: 0; border: 0; min-width: 0; }
legend { padding: 0; font-weight: 650; }
.scopes { list-style: none; margin: .5rem 0 0; padding: 0; border: 1px solid var(--line); border-radius: 10px; }
.scopes li + li { border-top: 1px solid var(--line); }
.scopes label { display: grid; grid-template-columns: auto 1fr; align-items: start; gap: .75rem; margin: 0; padding: .75rem .875rem; min-height: 2.75rem; font-weight: 400; cursor: pointer; }
.scopes input { width: 1.25rem; height: 1.25rem; margin: .125rem 0 0; accent-color: var(--accent); }
.scopes code { color: var(--soft); }
fieldset h3, fieldset h4 { margin: .875rem 0 0; font-size: .9375rem; line-height: 1.35; }
fieldset h4 { color: var(--soft); font-weight: 600; }
fieldset details { margin-top: .875rem; }
summary { display: flex; align-items: center; min-height: 2.75rem; font-weight: 600; color: var(--accent); cursor: pointer; }

.steps { margin: 0; padding: 0; list-style: none; counter-reset: step; }
.steps > li { counter-increment: step; margin-top: 1rem; }
.steps h3 { display: flex; gap: .625rem; margin: 0; font-size: 1rem; }
.steps h3::before { content: counter(step); flex: none; width: 1.5rem; height: 1.5rem; border-radius: 99px; background: var(--inset); border: 1px solid var(--line); color: var(--soft); font-size: .8125rem; line-height: 1.375rem; text-align: center; }
pre { margin: .5rem 0 0; padding: .75rem .875rem; white-space: pre; overflow-x: auto; background: var(--inset); border: 1px solid var(--line); border-radius: 8px; user-select: all; -webkit-user-select: all; }
.links { list-style: none; margin: .5rem 0 0; padding: 0; border: 1px solid var(--line); border-radius: 10px; }
.links li + li { border-top: 1px solid var(--line); }
.links a { display: block; padding: .625rem .875rem; min-height: 2.75rem; color: inherit; text-decoration: none; }
.links a:hover strong { text-decoration: underline; }
.links strong { color: var(--accent); }
.links code { color: var(--soft); }
.rows { list-style: none; margin: .5rem 0 0; padding: 0; border: 1px solid var(--line); border-radius: 10px; }
.rows li { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1rem; padding: .75rem .875rem; }
.rows li > div { flex: 1 1 16rem; min-width: 0; }
.rows li + li { border-top: 1px solid var(--line); }
.rows p { margin: .125rem 0 0; }
.rows .name { font-size: 1.0625rem; font-weight: 650; line-height: 1.3; }
.rows code.badge { font-size: .8125rem; font-weight: 400; white-space: normal; }
.user-code { margin: 1.25rem 0 0; padding: .875rem; border: 1px solid var(--line); border-radius: 10px; background: var(--inset); text-align: center; font: 650 1.75rem/1.2 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; letter-spacing: .08em; }
.title { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem .75rem; }
@media (prefers-reduced-motion: reduce) { * { transition: none !important; } }
@media (forced-colors: active) { main, .badge, .notice, button, .button { border: 1px solid; } }
`;

/** The stylesheet's CSP hash-source (CSP3 §2.3.1), so that no page needs `'unsafe-inline'`. */
export const stylesheetHash = `sha256-${createHash('sha256').update(stylesheet).digest('base64')}`;

/** The only script there is: it posts the page's one form. */
export const submitScript = "addEventListener('DOMContentLoaded',()=>document.forms[0].submit())";
const submitScriptHash = `sha256-${createHash('sha256').update(submitScript).digest('base64')}`;

/** The policy of a page that posts itself to a redirect URI: that script, that address and nothing else. */
export function formPostPolicy(redirectUri: string): string {
  return [
    "default-src 'none'",
    `script-src '${submitScriptHash}'`,
    `style-src '${stylesheetHash}'`,
    'img-src data:',
    `form-action ${formTarget(redirectUri)}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ');
}

/**
 * The policy every page travels under. Browsers apply `form-action` to the redirects a form leads to as well, so a
 * page whose form ends at the client (login, consent) must allow that client's redirect URI, and no other.
 */
export function contentSecurityPolicy(redirectUri?: string): string {
  const formAction = redirectUri === undefined ? "'self'" : `'self' ${formTarget(redirectUri)}`;
  return [
    "default-src 'none'",
    `style-src '${stylesheetHash}'`,
    'img-src data:',
    `form-action ${formAction}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ');
}

/** The origin, or the scheme where an origin cannot be written: private-use schemes and IPv6 literals. */
function formTarget(redirectUri: string): string {
  const { protocol, host, hostname } = new URL(redirectUri);
  const web = protocol === 'https:' || protocol === 'http:';
  return web && /^[\w.-]+$/.test(hostname) ? `${protocol}//${host}` : protocol;
}
