import { counter, gauge, histogram, type MetricSpecs } from './spec.ts';

/** What can tell a process of a change at once. */
const changeChannels = ['notify', 'nats'] as const;
const planes = ['token', 'admin'] as const;

/** How a process learns what others have changed. */
export const changeFeedMetrics = {
  changePropagation: histogram(
    'authserver_change_propagation_seconds',
    'Commit of a change to its application in this process, by the clock of the database.',
    { kind: 'change' },
  ),
  changeHints: counter(
    'authserver_change_hints_total',
    'Messages that announced a change, by channel, and what became of them.',
    {
      channel: changeChannels,
      outcome: [
        'true',
        'known',
        'false',
        'excess',
        'unread',
        'oversized',
        'malformed',
        'unknown_kind',
        'wrong_subject',
      ],
    },
  ),
  changeFeedReads: counter('authserver_change_feed_reads_total', 'Reads of the changes, why, and what came of them.', {
    plane: planes,
    cause: ['start', 'channel', 'interval', 'hint', 'commit'],
    result: ['changes', 'nothing', 'failed'],
  }),
  changeFeedResets: counter(
    'authserver_change_feed_resets_total',
    'Times everything cached was forgotten, because a change may have been missed.',
    { plane: planes, reason: ['late_start', 'pruned', 'went_back'] },
  ),
  changeFeedVersion: gauge('authserver_change_feed_version', 'Version of the last change that was applied here.', {
    plane: planes,
  }),
  changeFeedLastRead: gauge(
    'authserver_change_feed_last_read_timestamp_seconds',
    'When the changes were last read with success.',
    { plane: planes },
  ),
  changeChannelUp: gauge(
    'authserver_change_channel_up',
    'Whether a channel would tell of a change at once; for NATS in the control plane, whether it can publish there.',
    { plane: planes, channel: changeChannels },
  ),
  changesPublished: counter('authserver_changes_published_total', 'Changes that NATS has taken.', {}),
  natsTroubles: counter('authserver_nats_troubles_total', 'Connections to NATS that were not made, or ended.', {
    plane: planes,
    reason: ['unreachable', 'unauthorized', 'forbidden', 'tls', 'lost'],
  }),
} satisfies MetricSpecs;
