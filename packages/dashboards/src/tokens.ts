import { dashboard } from './dashboard.ts';
import { answer, chart } from './panels.ts';
import { gauge, inRange, most, perSecond, quantile, recorded, recordedQuantile, share } from './queries.ts';

/** What is issued, by which grant, and what people and machines do with it. */
export const tokens = dashboard({
  uid: 'authserver-tokens',
  title: 'Tokens and grants',
  description: 'What is issued by which grant, how fast, what is refused, checked and revoked.',
  answers: [
    answer({
      title: 'Tokens issued',
      what: 'A second, over five minutes, by any grant.',
      expr: recorded('job_instance_grant_type:authserver_tokens_issued:rate5m'),
      unit: 'reqps',
    }),
    answer({
      title: 'Slowest 1 % of tokens',
      what: 'The 99th percentile, over five minutes.',
      expr: recordedQuantile(0.99, 'job_instance_le:authserver_token_issuance_duration_seconds_bucket:rate5m'),
      unit: 's',
      limits: { warn: 0.25, bad: 0.5 },
      alert: 'AuthserverSlowIssuance',
    }),
    answer({
      title: 'Apps signed in',
      what: 'Refresh token families that are neither revoked nor expired, counted in the database.',
      expr: gauge('authserver_active_token_families'),
    }),
    answer({
      title: 'Active clients',
      what: 'Clients with status active, counted in the database.',
      expr: gauge('authserver_active_clients'),
    }),
    answer({
      title: 'Consents refused',
      what: 'Share of the answers on the consent page, in the time on the screen.',
      expr: share(
        inRange('authserver_consent_decisions_total', { where: 'decision="denied"' }),
        inRange('authserver_consent_decisions_total'),
      ),
      unit: 'percentunit',
    }),
    answer({
      title: 'Dead tokens asked about',
      what: 'Share of the answers that said inactive, in the time on the screen. Much of it: a client that does not refresh.',
      expr: share(
        inRange('authserver_introspection_total', { where: 'active="false"' }),
        inRange('authserver_introspection_total'),
      ),
      unit: 'percentunit',
    }),
  ],
  sections: [
    {
      title: 'Issued',
      panels: [
        chart({
          title: 'Tokens issued, by grant',
          queries: [
            { expr: perSecond('authserver_tokens_issued_total', { by: ['grant_type'] }), legend: '{{grant_type}}' },
          ],
          unit: 'reqps',
          stacked: true,
        }),
        chart({
          title: 'Refreshed',
          queries: [{ expr: perSecond('authserver_tokens_refreshed_total'), legend: 'refresh tokens spent' }],
          unit: 'reqps',
        }),
        chart({
          title: 'Half of the token requests are faster than',
          queries: [
            {
              expr: quantile(0.5, 'authserver_token_issuance_duration_seconds', { by: ['grant_type'] }),
              legend: '{{grant_type}}',
            },
          ],
          unit: 's',
        }),
        chart({
          title: '99 of 100 token requests are faster than',
          queries: [
            {
              expr: quantile(0.99, 'authserver_token_issuance_duration_seconds', { by: ['grant_type'] }),
              legend: '{{grant_type}}',
            },
          ],
          unit: 's',
          alert: 'AuthserverSlowIssuance',
        }),
      ],
    },
    {
      title: 'People',
      panels: [
        chart({
          title: 'Time of an authorization request',
          what: 'What the server takes; not the time people think.',
          queries: [
            { expr: quantile(0.5, 'authserver_auth_flow_duration_seconds'), legend: 'half are faster than' },
            { expr: quantile(0.99, 'authserver_auth_flow_duration_seconds'), legend: '99 of 100 are faster than' },
          ],
          unit: 's',
        }),
        chart({
          title: 'Answers on the consent page',
          queries: [
            { expr: perSecond('authserver_consent_decisions_total', { by: ['decision'] }), legend: '{{decision}}' },
          ],
          unit: 'reqps',
        }),
        chart({
          title: 'Devices without a browser',
          queries: [
            { expr: perSecond('authserver_device_requests_total', { by: ['outcome'] }), legend: '{{outcome}}' },
          ],
          unit: 'reqps',
        }),
        chart({
          title: 'Clients that registered',
          queries: [
            { expr: perSecond('authserver_clients_registered_total', { by: ['source'] }), legend: '{{source}}' },
          ],
          unit: 'reqps',
        }),
      ],
    },
    {
      title: 'Machines and agents',
      panels: [
        chart({
          title: 'Machine tokens',
          queries: [
            { expr: perSecond('authplane_client_credentials_issued_total'), legend: 'issued' },
            {
              expr: most(8, perSecond('authplane_client_credentials_denied_total', { by: ['reason'] })),
              legend: 'denied: {{reason}}',
            },
          ],
          unit: 'reqps',
        }),
        chart({
          title: 'Token exchange',
          queries: [
            { expr: perSecond('authplane_token_exchange_total', { by: ['kind'] }), legend: '{{kind}}' },
            {
              expr: most(8, perSecond('authplane_token_exchange_denied_total', { by: ['reason'] })),
              legend: 'denied: {{reason}}',
            },
          ],
          unit: 'reqps',
        }),
        chart({
          title: 'Tokens that name an agent',
          queries: [{ expr: perSecond('authplane_agent_tokens_issued_total'), legend: 'issued' }],
          unit: 'reqps',
        }),
        chart({
          title: 'Tokens bound to a key (DPoP)',
          queries: [{ expr: perSecond('authplane_dpop_proofs_validated_total'), legend: 'proofs accepted' }],
          unit: 'reqps',
        }),
      ],
    },
    {
      title: 'Checked and ended',
      panels: [
        chart({
          title: 'Introspections',
          queries: [
            { expr: perSecond('authserver_introspection_total', { by: ['active'] }), legend: 'active: {{active}}' },
          ],
          unit: 'reqps',
        }),
        chart({
          title: 'Time of an introspection',
          queries: [
            { expr: quantile(0.5, 'authserver_introspection_duration_seconds'), legend: 'half are faster than' },
            { expr: quantile(0.99, 'authserver_introspection_duration_seconds'), legend: '99 of 100 are faster than' },
          ],
          unit: 's',
        }),
        chart({
          title: 'Revocations, by reason',
          queries: [{ expr: perSecond('authserver_tokens_revoked_total', { by: ['reason'] }), legend: '{{reason}}' }],
          unit: 'reqps',
        }),
        chart({
          title: 'Signed in with an app, over time',
          queries: [
            { expr: gauge('authserver_active_token_families'), legend: 'refresh token families' },
            { expr: gauge('authserver_active_clients'), legend: 'clients' },
          ],
        }),
      ],
    },
  ],
});
