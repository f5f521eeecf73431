import { OAuthError, redirectKind } from '@authserver/oauth';
import type { Params } from '../params.ts';

/**
 * How a response travels to the client: in the query of its redirect URI, or in a form the browser posts there (OAuth 2.0
 * Form Post Response Mode §2), where no server log and no history keeps the code.
 */
export const responseModes = ['query', 'form_post'] as const;
export type ResponseMode = (typeof responseModes)[number];

/** The mode asked for, `query` by default; `undefined` when it is none that works here. */
export const readResponseMode = ({ response_mode: mode }: Params, redirectUri: string): ResponseMode | undefined => {
  if (mode === undefined || mode === 'query') return 'query';
  // An app behind a private-use scheme is handed a URL by the system; there is nothing a form could be posted to.
  return mode === 'form_post' && redirectKind(redirectUri) !== 'private-use' ? 'form_post' : undefined;
};

/** @throws {OAuthError} `invalid_request`, which travels in the query because the mode asked for cannot be used */
export const requireResponseMode = (params: Params, redirectUri: string): void => {
  if (readResponseMode(params, redirectUri) !== undefined) return;
  throw new OAuthError(
    'invalid_request',
    params.response_mode === 'form_post'
      ? 'response_mode form_post does not reach a private-use scheme; use query.'
      : 'Only response_mode query and form_post are supported.',
    'unsupported_response_mode',
  );
};
