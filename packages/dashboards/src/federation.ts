import { dashboard } from './dashboard.ts';
import { answer, chart } from './panels.ts';
import { inRange, perSecond, quantileOrZero, share } from './queries.ts';

const refresh = 'authserver_upstream_token_refresh_total';

/** Other servers we depend on: upstreams, identity providers, hosts of clients. */
export const federation = dashboard({
  uid: 'authserver-federation',
  title: 'Broker and federation',
  description:
    'Tokens of upstreams, identity providers and the hosts of clients. docs/metrics.md says which of these are counted in this release; the others stay 0.',
  answers: [
    answer({
      title: 'Upstream tokens handed out',
      what: 'In the time on the screen.',
      expr: inRange('authserver_upstream_token_issued_total'),
      words: { 0: 'none' },
    }),
    answer({
      title: 'Upstream refreshes failing',
      what: 'Share of all in the time on the screen. People get no token of that upstream until it works again.',
      expr: share(inRange(refresh, { where: 'outcome="failed"' }), inRange(refresh)),
      unit: 'percentunit',
      limits: { warn: 0.01, bad: 0.05 },
      words: { 0: 'none' },
      alert: 'AuthserverUpstreamRefreshFails',
    }),
    answer({
      title: 'Accounts connected, net',
      what: 'In the time on the screen.',
      expr: `(${inRange('authserver_connection_connect_total')}) - (${inRange('authserver_connection_disconnect_total')})`,
    }),
    answer({
      title: 'Assertions refused',
      what: 'Share of all in the time on the screen.',
      expr: share(
        inRange('authplane_xaa_policy_evaluation_total', { where: 'outcome="deny"' }),
        inRange('authplane_xaa_policy_evaluation_total'),
      ),
      unit: 'percentunit',
      limits: { warn: 0.1, bad: 0.5 },
      words: { 0: 'none' },
    }),
    answer({
      title: 'Unknown subjects',
      what: 'Assertions whose subject has no user here, in the time on the screen. A mapping is missing.',
      expr: inRange('authplane_xaa_subject_resolutions_total', { where: 'outcome="denied"' }),
      limits: { warn: 1, bad: 100 },
      words: { 0: 'none' },
    }),
    answer({
      title: 'Hosts not answering',
      what: 'Share of our requests to hosts that clients and operators named, in the time on the screen.',
      expr: share(
        inRange('authserver_outbound_requests_total', { where: 'outcome=~"unreachable|timeout"' }),
        inRange('authserver_outbound_requests_total'),
      ),
      unit: 'percentunit',
      limits: { warn: 0.1, bad: 0.5 },
      words: { 0: 'none' },
    }),
  ],
  sections: [
    {
      title: 'Upstreams',
      panels: [
        chart({
          title: 'Tokens handed out, by provider',
          queries: [
            { expr: perSecond('authserver_upstream_token_issued_total', { by: ['provider'] }), legend: '{{provider}}' },
          ],
          unit: 'reqps',
        }),
        chart({
          title: 'Tokens handed out, by resource',
          queries: [
            { expr: perSecond('authserver_upstream_token_issued_total', { by: ['resource'] }), legend: '{{resource}}' },
          ],
          unit: 'reqps',
        }),
        chart({
          title: 'Refreshes at upstreams',
          queries: [{ expr: perSecond(refresh, { by: ['provider', 'outcome'] }), legend: '{{provider}}: {{outcome}}' }],
          unit: 'reqps',
          alert: 'AuthserverUpstreamRefreshFails',
        }),
        chart({
          title: '99 of 100 upstream tokens are there within',
          queries: [
            {
              expr: quantileOrZero(0.99, 'authserver_upstream_token_issuance_duration_seconds', { by: ['provider'] }),
              legend: '{{provider}}',
            },
          ],
          unit: 's',
        }),
        chart({
          title: 'Accounts that people connect and disconnect',
          queries: [
            {
              expr: perSecond('authserver_connection_connect_total', { by: ['provider'] }),
              legend: '{{provider}}: connected',
            },
            {
              expr: perSecond('authserver_connection_disconnect_total', { by: ['provider'] }),
              legend: '{{provider}}: disconnected',
            },
          ],
          unit: 'reqps',
        }),
      ],
    },
    {
      title: 'Identity providers',
      panels: [
        chart({
          title: 'Assertions, by what the policies said',
          queries: [
            { expr: perSecond('authplane_xaa_policy_evaluation_total', { by: ['outcome'] }), legend: '{{outcome}}' },
          ],
          unit: 'reqps',
        }),
        chart({
          title: 'Subjects, and how they were found',
          queries: [
            { expr: perSecond('authplane_xaa_subject_resolutions_total', { by: ['outcome'] }), legend: '{{outcome}}' },
          ],
          unit: 'reqps',
        }),
        chart({
          title: 'Keys of identity providers',
          queries: [
            { expr: perSecond('authserver_oidc_jwks_cache_hits_total'), legend: 'in memory' },
            { expr: perSecond('authserver_oidc_jwks_cache_misses_total'), legend: 'fetched' },
          ],
          unit: 'reqps',
        }),
        chart({
          title: 'Sign-in at an OpenID provider: 99 of 100 within',
          queries: [
            {
              expr: quantileOrZero(0.99, 'authserver_oidc_exchange_duration_seconds', { by: ['outcome'] }),
              legend: '{{outcome}}',
            },
          ],
          unit: 's',
        }),
        chart({
          title: 'Changes to identity providers',
          queries: [
            { expr: perSecond('authplane_xaa_idp_operations_total', { by: ['operation'] }), legend: '{{operation}}' },
          ],
          unit: 'reqps',
        }),
      ],
    },
    {
      title: 'Hosts that others named',
      panels: [
        chart({
          title: 'Requests, by what for',
          queries: [
            { expr: perSecond('authserver_outbound_requests_total', { by: ['purpose'] }), legend: '{{purpose}}' },
          ],
          unit: 'reqps',
        }),
        chart({
          title: 'Requests that failed',
          queries: [
            {
              expr: perSecond('authserver_outbound_requests_total', {
                by: ['purpose', 'outcome'],
                where: 'outcome!="answered"',
              }),
              legend: '{{purpose}}: {{outcome}}',
            },
          ],
          unit: 'reqps',
        }),
        chart({
          title: 'Client metadata documents: 99 of 100 within',
          queries: [
            {
              expr: quantileOrZero(0.99, 'authserver_cimd_fetch_duration_seconds', { by: ['outcome'] }),
              legend: '{{outcome}}',
            },
          ],
          unit: 's',
        }),
        chart({
          title: 'Client metadata documents that were not fetched',
          queries: [
            { expr: perSecond('authserver_cimd_fetch_suppressed_total', { by: ['reason'] }), legend: '{{reason}}' },
          ],
          unit: 'reqps',
          alert: 'CIMDFetchSuppressedSpike',
        }),
      ],
    },
  ],
});
