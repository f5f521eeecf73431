import { hiddenFields } from './fields.ts';
import { html, postsTo } from './html.ts';
import { page } from './layout.ts';

/**
 * An authorization response as a form that posts itself to the client (OAuth 2.0 Form Post Response Mode §2). Without
 * script there is a button. Where it leads is not shown again: the person has just been told, or asked.
 */
export function formPostPage(redirectUri: string, params: Record<string, string | undefined>): string {
  const body = html`<h1>Back to the app</h1>
<p>Your browser is taking the answer to the app.</p>
<form method="post"${postsTo(redirectUri)}>
${hiddenFields(params)}
<button class="stretch" type="submit">Continue</button>
</form>`;
  return page({ title: 'Back to the app', body, submitsItself: true });
}
