import { dashboard } from './dashboard.ts';
import { answer, chart, upAndDown } from './panels.ts';
import { inRange, orZero, perSecond, quantile, recordedQuantile, select } from './queries.ts';

const lastRead = 'authserver_change_feed_last_read_timestamp_seconds';
const version = 'authserver_change_feed_version';
const seconds = 's';

/** How what operators change reaches every process. */
export const changeFeed = dashboard({
  uid: 'authserver-change-feed',
  title: 'Change feed',
  description:
    'How fast what operators change is known to every process, and by which way. docs/change-feed.md has the idea.',
  answers: [
    answer({
      title: 'Longest without a look',
      what: 'How long the last process has not read the changes. A suspended client may still be served there.',
      expr: orZero(`max(time() - ${select(lastRead)})`),
      unit: seconds,
      limits: { warn: 15, bad: 60 },
      alert: 'AuthserverChangesNotRead',
    }),
    answer({
      title: 'Changes behind',
      what: 'Against the newest version that any process has. A moment after a change this is normal.',
      expr: orZero(`max(${select(version)}) - min(${select(version)})`),
      limits: { warn: 1, bad: 10 },
      words: { 0: 'none' },
      alert: 'AuthserverChangesNotRead',
    }),
    answer({
      title: 'Ways that are down',
      what: 'NATS or LISTEN/NOTIFY of some process. The other way and the interval remain. Without NATS in the configuration, it is not counted.',
      expr: orZero(`count(${select('authserver_change_channel_up')} == 0)`),
      limits: { warn: 1, bad: 4 },
      words: { 0: 'none' },
      alert: 'AuthserverChangeChannelDown',
    }),
    answer({
      title: 'Slowest 1 % of changes',
      what: 'From its commit to its effect in a process, over ten minutes. Empty while nothing is changed.',
      expr: recordedQuantile(0.99, 'job_instance_kind_le:authserver_change_propagation_seconds_bucket:rate10m'),
      unit: seconds,
      limits: { warn: 0.5, bad: 1 },
      alert: 'AuthserverChangesLate',
    }),
    answer({
      title: 'Everything forgotten',
      what: 'How often a process emptied its memory because it may have missed a change, in the time on the screen.',
      expr: inRange('authserver_change_feed_resets_total'),
      limits: { warn: 1, bad: 20 },
      words: { 0: 'never' },
    }),
    answer({
      title: 'Forged messages',
      what: 'In the time on the screen. They change nothing, but somebody sends them.',
      expr: inRange('authserver_change_hints_total', { where: 'outcome=~"false|oversized|malformed|wrong_subject"' }),
      limits: { warn: 1, bad: 300 },
      words: { 0: 'none' },
      alert: 'AuthserverForgedChanges',
    }),
  ],
  sections: [
    {
      title: 'Which process',
      panels: [
        chart({
          title: 'Since the last look at the changes',
          queries: [{ expr: orZero(`time() - ${select(lastRead)}`), legend: '{{instance}} ({{plane}})' }],
          unit: seconds,
          limits: { bad: 60 },
          alert: 'AuthserverChangesNotRead',
        }),
        chart({
          title: 'Version of the last change that is known',
          what: 'Lines that part: one process does not follow.',
          queries: [{ expr: orZero(select(version)), legend: '{{instance}} ({{plane}})' }],
        }),
        upAndDown({
          title: 'Ways that tell of a change at once',
          what: 'For NATS in the control plane: whether it can publish there.',
          expr: orZero(select('authserver_change_channel_up')),
          legend: '{{instance}} ({{plane}}): {{channel}}',
          alert: 'AuthserverChangeChannelDown',
        }),
        chart({
          title: 'Connections to NATS that failed or ended',
          queries: [
            {
              expr: perSecond('authserver_nats_troubles_total', { by: ['plane', 'reason'] }),
              legend: '{{plane}}: {{reason}}',
            },
          ],
          unit: 'reqps',
          alert: 'AuthserverChangeChannelDown',
        }),
      ],
    },
    {
      title: 'How fast',
      panels: [
        chart({
          title: 'Half of the changes are known within, by kind',
          queries: [
            {
              expr: orZero(`(${quantile(0.5, 'authserver_change_propagation_seconds', { by: ['kind'] })} >= 0)`),
              legend: '{{kind}}',
            },
          ],
          unit: seconds,
        }),
        chart({
          title: '99 of 100 changes are known within, by kind',
          queries: [
            {
              expr: orZero(`(${quantile(0.99, 'authserver_change_propagation_seconds', { by: ['kind'] })} >= 0)`),
              legend: '{{kind}}',
            },
          ],
          unit: seconds,
          limits: { bad: 1 },
          alert: 'AuthserverChangesLate',
        }),
      ],
    },
    {
      title: 'By which way',
      panels: [
        chart({
          title: 'Messages about changes, and what became of them',
          what: 'true: something new. known: the other way was faster. Everything else deserves a look.',
          queries: [
            {
              expr: perSecond('authserver_change_hints_total', { by: ['channel', 'outcome'] }),
              legend: '{{channel}}: {{outcome}}',
            },
          ],
          unit: 'reqps',
          alert: 'AuthserverForgedChanges',
        }),
        chart({
          title: 'Looks at the changes, and why',
          queries: [
            {
              expr: perSecond('authserver_change_feed_reads_total', { by: ['cause', 'result'] }),
              legend: '{{cause}}: {{result}}',
            },
          ],
          unit: 'reqps',
        }),
        chart({
          title: 'Changes that NATS has taken',
          queries: [{ expr: perSecond('authserver_changes_published_total'), legend: 'published' }],
          unit: 'reqps',
        }),
        chart({
          title: 'Times everything was forgotten',
          queries: [
            {
              expr: perSecond('authserver_change_feed_resets_total', { by: ['plane', 'reason'] }),
              legend: '{{plane}}: {{reason}}',
            },
          ],
          unit: 'reqps',
        }),
      ],
    },
  ],
});
