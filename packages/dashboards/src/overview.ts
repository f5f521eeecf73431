import { dashboard } from './dashboard.ts';
import { answer, chart, list, upAndDown } from './panels.ts';
import { inRange, most, orZero, perSecond, quantile, recorded, recordedQuantile, select, share } from './queries.ts';

const requests = 'job_instance_path_class:authserver_http_requests:rate5m';
const issuance = 'job_instance_le:authserver_token_issuance_duration_seconds_bucket:rate5m';

/** What is wrong, since when, and for whom. */
export const overview = dashboard({
  uid: 'authserver-overview',
  title: 'Overview',
  description: 'Is anything wrong, since when, and for whom. The first page to open.',
  answers: [
    answer({
      title: 'Alerts firing',
      what: 'The list below says which and since when; each has a runbook.',
      expr: orZero('count(ALERTS{alertstate="firing"})'),
      limits: { bad: 1 },
      words: { 0: 'none' },
    }),
    answer({
      title: 'Processes down',
      what: 'Prometheus cannot scrape them. Token processes that are gone have less room for the same requests.',
      expr: orZero(`count(${select('up')} == 0)`),
      limits: { bad: 1 },
      words: { 0: 'none' },
      alert: 'AuthserverDown',
    }),
    answer({
      title: 'Token requests failing',
      what: 'Share of requests to /oauth/token that were answered 5xx, over five minutes. A refusal (4xx) is not a failure.',
      expr: share(
        `sum(${select(requests, 'path="/oauth/token",class="5xx"')})`,
        `sum(${select(requests, 'path="/oauth/token"')})`,
      ),
      unit: 'percentunit',
      limits: { warn: 0.001, bad: 0.01 },
      words: { 0: 'none' },
      alert: 'AuthserverTokenRequestsFail',
    }),
    answer({
      title: 'Slowest 1 % of tokens',
      what: 'The 99th percentile of the time from a token request to its answer, over five minutes.',
      expr: recordedQuantile(0.99, issuance),
      unit: 's',
      limits: { warn: 0.25, bad: 0.5 },
      alert: 'AuthserverSlowIssuance',
    }),
    answer({
      title: 'Requests denied',
      what: 'A second, for any reason, over five minutes. "Security" has the reasons.',
      expr: recorded('job_instance_reason:authserver_auth_denied:rate5m'),
      unit: 'reqps',
      limits: { warn: 5, bad: 10 },
      alert: 'HighAuthDenialRate',
    }),
    answer({
      title: 'Thefts noticed',
      what: 'Refresh tokens and authorization codes that were presented twice, in the time on the screen. Never expected.',
      expr: `(${inRange('authserver_refresh_token_reuse_total')}) + (${inRange('authserver_auth_code_reuse_total', { where: 'verifier="valid"' })})`,
      limits: { bad: 1 },
      words: { 0: 'none' },
      alert: 'RefreshTokenReuse',
    }),
  ],
  sections: [
    {
      title: 'What is wrong, and since when',
      panels: [
        list({
          title: 'Alerts that are firing',
          what: 'The longest first. The name leads to the runbook.',
          expr: 'sort_desc(((time() - ALERTS_FOR_STATE) and ignoring (alertstate) ALERTS{alertstate="firing"}) or on () label_replace(vector(0), "alertname", "none", "", ""))',
          value: { title: 'for', unit: 's' },
          columns: ['alertname', 'severity', 'job', 'instance', 'reason', 'target', 'operation'],
          // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana fills it in
          link: { column: 'alertname', title: 'Runbook', url: '/d/runbook-${__value.raw}' },
        }),
        upAndDown({
          title: 'Which process was up, and when',
          what: 'As Prometheus saw it.',
          expr: select('up'),
          legend: '{{job}} {{instance}}',
          alert: 'AuthserverDown',
        }),
        list({
          title: 'Processes',
          what: 'The youngest first: one that started again by itself is at the top.',
          expr: `sort((time() - ${select('process_start_time_seconds')}) * on (job, instance) group_left (version) ${select('authserver_build_info')})`,
          value: { title: 'running for', unit: 's' },
          columns: ['job', 'instance', 'version'],
          width: 12,
        }),
      ],
    },
    {
      title: 'For whom',
      panels: [
        chart({
          title: 'Failures on our side, by endpoint',
          what: 'Requests a second that were answered 5xx.',
          queries: [{ expr: recorded(requests, { by: ['path'], where: 'class="5xx"' }), legend: '{{path}}' }],
          unit: 'reqps',
          alert: 'HTTPServerErrorRatio',
        }),
        chart({
          title: 'Failures on our side, by process',
          what: 'If it is one process alone, take it out; if it is all, look at what they share.',
          queries: [
            {
              expr: recorded(requests, { by: ['job', 'instance'], where: 'class="5xx"' }),
              legend: '{{job}} {{instance}}',
            },
          ],
          unit: 'reqps',
          alert: 'HTTPServerErrorRatio',
        }),
        chart({
          title: 'Tokens issued, by grant',
          what: 'When one line falls and the others do not, one kind of client is in trouble.',
          queries: [
            { expr: perSecond('authserver_tokens_issued_total', { by: ['grant_type'] }), legend: '{{grant_type}}' },
          ],
          unit: 'reqps',
          stacked: true,
        }),
        chart({
          title: 'Requests denied, by reason',
          queries: [
            { expr: most(10, perSecond('authserver_auth_denied_total', { by: ['reason'] })), legend: '{{reason}}' },
          ],
          unit: 'reqps',
          alert: 'HighAuthDenialRate',
        }),
      ],
    },
    {
      title: 'Traffic',
      panels: [
        chart({
          title: 'Requests, by endpoint',
          queries: [
            { expr: most(12, perSecond('authserver_http_requests_total', { by: ['path'] })), legend: '{{path}}' },
          ],
          unit: 'reqps',
          stacked: true,
        }),
        chart({
          title: 'Time of a token request',
          queries: [
            { expr: quantile(0.5, 'authserver_token_issuance_duration_seconds'), legend: 'half are faster than' },
            { expr: quantile(0.99, 'authserver_token_issuance_duration_seconds'), legend: '99 of 100 are faster than' },
          ],
          unit: 's',
          alert: 'AuthserverSlowIssuance',
        }),
      ],
    },
  ],
});
