import { type Html, html } from './html.ts';
import { mark, markDataUrl } from './mark.ts';
import { stylesheet, submitScript } from './stylesheet.ts';
import { visible } from './visible.ts';

export type Page = {
  /** Shown in the tab and in history. Shortened and made visible here. */
  title: string;
  body: Html;
  /** BCP 47 tag of the page's language. */
  lang?: string;
  /** A wider column, for pages with commands. */
  wide?: boolean;
  /** The page's form is posted as soon as it is there; the policy must allow `submitScriptHash`. */
  submitsItself?: boolean;
};

/** A whole document: nothing fetched, no script but the one constant, one stylesheet that `stylesheetHash` allows. */
export function page({ title, body, lang = 'en', wide = false, submitsItself = false }: Page): string {
  const opening = html`<!doctype html>
<html lang="${lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex, nofollow">
<title>${visible(title, 100)} · authserver</title>
`;
  const document = html`
</head>
<body class="${wide ? 'wide' : 'narrow'}">
<header>${mark}<span>authserver</span></header>
<main>
${body}
</main>
</body>
</html>
`;
  // The constants below are ours and take no input, which is why they may bypass the template.
  const script = submitsItself ? `<script>${submitScript}</script>` : '';
  return `${opening}<link rel="icon" href="${markDataUrl}">\n<style>${stylesheet}</style>${script}${document}`;
}
