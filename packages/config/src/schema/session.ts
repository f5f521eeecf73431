import { choice, duration, flag, secret, section, text } from '../leaf.ts';

const cookieName = (value: string) =>
  /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(value) ? undefined : 'expected a cookie name (RFC 6265 §4.1.1)';

export const session = section({
  secret: secret().describe(
    'Key of everything handed to a browser and expected back. Required off localhost, at least 32 characters; on localhost one is generated and kept under `server.data_dir`.',
  ),
  cookie_name: text('authserver_session', cookieName).describe(
    'Name of the session cookie; with `session.secure` it gets the prefix `__Host-`.',
  ),
  max_age: duration('24h', { min: '1s' }).describe('Lifetime of a login.'),
  secure: flag(false).describe('Send the cookie over https only (RFC 6265 §4.1.2.5). Must be true off localhost.'),
  same_site: choice(['lax', 'strict', 'none'], 'lax').describe('`SameSite` of the cookie; `none` needs `secure`.'),
  fail_closed: flag(true).describe('Treat a browser as logged out when its user cannot be looked up.'),
});
