import { openApiDocument } from './openapi.ts';

/** The OpenAPI document, as the repository keeps it. */
export const generate = async (): Promise<{ path: string; text: string }[]> => [
  { path: 'docs/admin-openapi.json', text: `${JSON.stringify(openApiDocument(), null, 2)}\n` },
];
