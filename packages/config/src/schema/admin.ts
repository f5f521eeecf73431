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
  requests_per_second: decimal(100).describe(
    'Admin requests a second from one address, at each admin process; 0 is no limit.',
  ),
  burst: integer(200).describe('Admin requests at once from one address; 0 is no limit.'),
  auth_fail_max: integer(10).describe(
    'Wrong keys from one address, at all admin processes together, before `api_key` is not looked at any more from there; 0 is no limit. Keys made by this server are always looked at: they cannot be guessed.',
  ),
  auth_fail_window: duration('5m', { min: '1s' }).describe(
    'Time in which wrong keys of one address are counted, and after which they become one audit event.',
  ),
  audit_default_lookback: duration('24h', { min: '1s' }).describe(
    'Span of an audit query that names none; at most `audit_max_lookback`.',
  ),
  audit_max_lookback: duration('720h', { min: '1s' }).describe('Longest span of an audit query.'),
  audit_export_max_lookback: duration('0s').describe(
    'How far back an export of the audit trail may begin; 0 is no limit.',
  ),
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
