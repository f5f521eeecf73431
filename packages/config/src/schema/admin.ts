import { listenAddress } from '../checks.ts';
import { decimal, duration, flag, integer, secret, section, text } from '../leaf.ts';

export const admin = section({
  enabled: flag(true).describe('Serve the admin API.'),
  address: text(':9001', listenAddress, 'address').describe(
    'Listen address of the admin API, `/metrics` and the admin UI.',
  ),
  api_key: secret().describe(
    'Bearer key of the admin API. Required off localhost, at least 16 characters; on localhost one is generated and kept under `server.data_dir`.',
  ),
  requests_per_second: decimal(0).describe('Admin requests a second; 0 is no limit.').meta({ reserved: true }),
  burst: integer(0).describe('Admin requests at once; 0 is no limit.').meta({ reserved: true }),
  audit_default_lookback: duration('24h', { min: '1s' }).describe(
    'Span of an audit query that names none; at most `audit_max_lookback`.',
  ),
  audit_max_lookback: duration('720h', { min: '1s' }).describe('Longest span of an audit query.'),
});

export const rateLimit = section({
  enabled: flag(true).describe(
    'Limit requests to the public endpoints by client address; an IPv6 client counts by its /64. The lockout below does not depend on it.',
  ),
  requests_per_second: decimal(100).describe('Requests a second from one address.').meta({ env: 'RATE_LIMIT_RPS' }),
  burst: integer(200).describe('Requests at once from one address.'),
  auth_fail_max: integer(10).describe(
    'Failed sign-ins of one e-mail address from one client address before a lockout, and ten times as many of all e-mail addresses from one client address; 0 is no lockout.',
  ),
  auth_fail_window: duration('10m').describe('Time in which failures are counted.'),
  auth_lockout: duration('15m').describe('Length of a lockout.'),
  max_tracked_identities: integer(250_000, { min: 10_000 }).describe(
    'Most addresses and identities counted at once, a limit; beyond it the oldest that are not locked out are forgotten.',
  ),
});
