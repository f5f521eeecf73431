import { referenceOf } from '@authserver/http';
import { html } from './html.ts';
import { page } from './layout.ts';
import { visible } from './visible.ts';

export type MessagePage = {
  title: string;
  lead: string;
  details?: readonly string[] | undefined;
  /** Becomes the reference by which an operator finds the request: `authserver admin trace --reference`. */
  requestId?: string | undefined;
  /** One way on, at a path of this server; any other address throws. */
  action?: { href: string; label: string } | undefined;
};

/** A page that only says something: an error, an expired request, signed out. URLs in its text stay text. */
export function messagePage({ title, lead, details = [], requestId, action }: MessagePage): string {
  const body = html`<h1>${visible(title, 100)}</h1>
<p>${visible(lead, 500)}</p>
${details.length === 1 && html`<p><bdi>${visible(details[0], 500)}</bdi></p>`}
${details.length > 1 && html`<ul>${details.map((detail) => html`<li><bdi>${visible(detail, 500)}</bdi></li>`)}</ul>`}
${action && html`<a class="button stretch" href="${action.href}">${visible(action.label, 60)}</a>`}
${requestId !== undefined && html`<p class="small soft">Reference <code>${referenceOf(requestId)}</code></p>`}`;
  return page({ title, body });
}
