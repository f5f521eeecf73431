import { dashboard } from './dashboard.ts';
import { answer, chart } from './panels.ts';
import { inRange, most, perSecond, recorded, share } from './queries.ts';

const denied = 'authserver_auth_denied_total';

/** Who tries what, and whether it is stopped. */
export const security = dashboard({
  uid: 'authserver-security',
  title: 'Security',
  description: 'Theft that was noticed, attempts that were stopped, and what was refused for which reason.',
  answers: [
    answer({
      title: 'Refresh tokens used twice',
      what: 'In the time on the screen. Each ended its family. Two parties hold the same token, and one of them should not.',
      expr: inRange('authserver_refresh_token_reuse_total'),
      limits: { bad: 1 },
      words: { 0: 'none' },
      alert: 'RefreshTokenReuse',
    }),
    answer({
      title: 'Codes used twice',
      what: 'With the right verifier, in the time on the screen. Each ended what it had produced.',
      expr: inRange('authserver_auth_code_reuse_total', { where: 'verifier="valid"' }),
      limits: { bad: 1 },
      words: { 0: 'none' },
      alert: 'AuthCodeReuse',
    }),
    answer({
      title: 'Revocations that failed',
      what: 'Theft was noticed, and the tokens could not be revoked. Revoke them by hand.',
      expr: inRange('authserver_revocation_failures_total'),
      limits: { bad: 1 },
      words: { 0: 'none' },
      alert: 'RevocationFamilyFailed',
    }),
    answer({
      title: 'Sign-ins that fail',
      what: 'Share of the sign-ins in the time on the screen. People mistype; a tenth is much.',
      expr: share(
        inRange('authserver_login_attempts_total', { where: 'outcome!="success"' }),
        inRange('authserver_login_attempts_total'),
      ),
      unit: 'percentunit',
      limits: { warn: 0.3, bad: 0.7 },
      alert: 'AuthserverFailedLogins',
    }),
    answer({
      title: 'DPoP proofs rejected',
      what: 'A second, over five minutes. nonce_required is how a client learns the nonce, and no attack.',
      expr: recorded('job_instance_reason:authplane_dpop_proofs_rejected:rate5m'),
      unit: 'reqps',
      limits: { warn: 2, bad: 5 },
      words: { 0: 'none' },
      alert: 'AuthserverDpopRejections',
    }),
    answer({
      title: 'Audit events lost',
      what: 'In the time on the screen. What they were about is in the log.',
      expr: inRange('authserver_audit_events_dropped_total'),
      limits: { bad: 1 },
      words: { 0: 'none' },
      alert: 'AuditEventsDropped',
    }),
  ],
  sections: [
    {
      title: 'What is refused',
      panels: [
        chart({
          title: 'Requests denied, by reason',
          what: 'The ten most frequent. docs/metrics.md lists all reasons.',
          queries: [{ expr: most(10, perSecond(denied, { by: ['reason'] })), legend: '{{reason}}' }],
          unit: 'reqps',
          alert: 'HighAuthDenialRate',
        }),
        chart({
          title: 'Who could not prove who they are',
          what: 'Wrong secrets, assertions and keys of clients.',
          queries: [
            { expr: perSecond(denied, { by: ['reason'], where: 'reason=~"client_.+"' }), legend: '{{reason}}' },
          ],
          unit: 'reqps',
        }),
        chart({
          title: 'Codes and refresh tokens that were no good',
          queries: [
            {
              expr: perSecond(denied, { by: ['reason'], where: 'reason=~"(code|refresh|pkce)_.+"' }),
              legend: '{{reason}}',
            },
          ],
          unit: 'reqps',
        }),
        chart({
          title: 'DPoP proofs',
          queries: [
            { expr: perSecond('authplane_dpop_proofs_validated_total'), legend: 'accepted' },
            { expr: perSecond('authplane_dpop_proofs_rejected_total', { by: ['reason'] }), legend: '{{reason}}' },
          ],
          unit: 'reqps',
          alert: 'AuthserverDpopRejections',
        }),
      ],
    },
    {
      title: 'Theft and its end',
      panels: [
        chart({
          title: 'Codes and refresh tokens used twice',
          queries: [
            { expr: perSecond('authserver_refresh_token_reuse_total'), legend: 'refresh token' },
            {
              expr: perSecond('authserver_auth_code_reuse_total', { by: ['verifier'] }),
              legend: 'code, verifier {{verifier}}',
            },
          ],
          unit: 'reqps',
          alert: 'RefreshTokenReuse',
        }),
        chart({
          title: 'Revocations, by reason',
          queries: [{ expr: perSecond('authserver_tokens_revoked_total', { by: ['reason'] }), legend: '{{reason}}' }],
          unit: 'reqps',
        }),
      ],
    },
    {
      title: 'Attempts',
      panels: [
        chart({
          title: 'Sign-ins',
          queries: [{ expr: perSecond('authserver_login_attempts_total', { by: ['outcome'] }), legend: '{{outcome}}' }],
          unit: 'reqps',
          alert: 'AuthserverFailedLogins',
        }),
        chart({
          title: 'Lockouts that began',
          queries: [
            { expr: perSecond('authserver_login_lockouts_total', { by: ['scope'] }), legend: 'of one {{scope}}' },
          ],
          unit: 'reqps',
        }),
        chart({
          title: 'Limits that were reached',
          what: 'Requests refused with 429. admin_keys is somebody who guesses admin keys.',
          queries: [{ expr: perSecond('authserver_rate_limited_total', { by: ['limit'] }), legend: '{{limit}}' }],
          unit: 'reqps',
        }),
        chart({
          title: 'Clients that registered',
          queries: [
            { expr: perSecond('authserver_clients_registered_total', { by: ['source'] }), legend: '{{source}}' },
          ],
          unit: 'reqps',
          alert: 'AuthserverRegistrations',
        }),
      ],
    },
    {
      title: 'Made to go elsewhere',
      panels: [
        chart({
          title: 'Requests to hosts that others named, and what became of them',
          what: 'forbidden: an address that is not on the internet, as of our own network.',
          queries: [
            { expr: perSecond('authserver_outbound_requests_total', { by: ['outcome'] }), legend: '{{outcome}}' },
          ],
          unit: 'reqps',
        }),
        chart({
          title: 'Client metadata documents that were not fetched',
          queries: [
            { expr: perSecond('authserver_cimd_fetch_suppressed_total', { by: ['reason'] }), legend: '{{reason}}' },
          ],
          unit: 'reqps',
          alert: 'CIMDFetchSuppressedSpike',
        }),
        chart({
          title: 'Messages about changes that are none of ours',
          queries: [
            {
              expr: perSecond('authserver_change_hints_total', {
                by: ['channel', 'outcome'],
                where: 'outcome=~"false|oversized|malformed|wrong_subject"',
              }),
              legend: '{{channel}}: {{outcome}}',
            },
          ],
          unit: 'reqps',
          alert: 'AuthserverForgedChanges',
        }),
        chart({
          title: 'Secrets of the database that could not be read or written',
          queries: [
            {
              expr: perSecond('authserver_encrypt_errors_total', { by: ['operation', 'error_type'] }),
              legend: '{{operation}}: {{error_type}}',
            },
          ],
          unit: 'reqps',
          alert: 'AuthserverDecryptionFails',
        }),
      ],
    },
  ],
});
