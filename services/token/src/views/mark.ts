import { html } from './html.ts';

/** The product mark: a shield with a keyhole. Drawn here, in the current colour; nothing is fetched. */
export const mark = html`<svg viewBox="0 0 32 32" aria-hidden="true" focusable="false"><path fill="currentColor" fill-rule="evenodd" d="M16 2 28 6.5v8.6c0 7.1-4.7 12.6-12 14.9C8.7 27.7 4 22.2 4 15.1V6.5L16 2Zm0 7.5a4 4 0 0 0-2 7.46L12.8 22.5h6.4L18 16.96A4 4 0 0 0 16 9.5Z"/></svg>`;

/** The same mark for the browser tab, as a `data:` URL (allowed by `img-src data:`). */
export const markDataUrl = `data:image/svg+xml,${encodeURIComponent(
  mark.toString().replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" color="#4a6fe0" '),
)}`;
