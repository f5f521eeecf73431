import { subjectOf } from './catalogue.ts';
import type { ChangeChannel } from './feed.ts';
import { type KeptConnection, keepConnection, settle, watchRefusals } from './nats-connection.ts';
import type { NatsSettings } from './nats-settings.ts';
import type { NatsTrouble } from './nats-trouble.ts';

/**
 * NATS as a channel of the feed: subscribes to `<prefix>.changes.*` and needs no other permission. Core NATS forgets what
 * it could not deliver, so every new connection counts as one that missed something.
 */
export const natsChannel = (
  settings: NatsSettings,
  { name, onTrouble }: { name: string; onTrouble: (trouble: NatsTrouble) => void },
): ChangeChannel => {
  let kept: KeptConnection | undefined;
  return {
    name: 'nats',
    start(on) {
      kept = keepConnection(settings, {
        name,
        async opened(connection) {
          const refusals = watchRefusals(connection);
          connection.subscribe(subjectOf(settings.subject_prefix, '*'), {
            callback(error, message) {
              if (error === null) on.message(message.data, message.subject.slice(message.subject.lastIndexOf('.') + 1));
              else kept?.fail(error);
            },
          });
          await settle(connection, refusals);
        },
        up: on.connected,
        down: on.lost,
        onTrouble,
      });
    },
    stop: async () => kept?.stop(),
  };
};
