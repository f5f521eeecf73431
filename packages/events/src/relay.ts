import type { NatsConnection } from 'nats';
import { subjectOf, toMessage } from './catalogue.ts';
import type { ChangeSource } from './feed.ts';
import { type KeptConnection, keepConnection, settle, watchRefusals } from './nats-connection.ts';
import type { NatsSettings } from './nats-settings.ts';
import type { NatsTrouble } from './nats-trouble.ts';

const pageSize = 500;
const retryMs = 1_000;
/** What can be a token of a subject; another kind of change reaches the pods by the other ways. */
const subjectToken = /^[A-Za-z0-9_-]{1,64}$/;

export type Relay = {
  start(): void;
  /** There may be something to publish. Returns at once. */
  nudge(): void;
  stop(): Promise<void>;
};

/**
 * Publishes on NATS every change that the database has, whoever made it: the control plane, a token pod, the command line.
 *
 * It keeps a version and no queue. Whatever is newer is read from the database and published, and the version moves on
 * when the server has confirmed all of it. While NATS is away nothing piles up. Several control planes publish the same
 * versions, and one that starts repeats the newest: a pod applies each once.
 */
export const createRelay = (options: {
  settings: NatsSettings;
  source: ChangeSource;
  name: string;
  onPublished: (changes: number) => void;
  onUp: (up: boolean) => void;
  onTrouble: (trouble: NatsTrouble) => void;
  onError: (error: unknown) => void;
}): Relay => {
  const { settings, source } = options;
  let published: number | undefined;
  let kept: KeptConnection | undefined;
  let publish: (() => void) | undefined;

  const opened = async (connection: NatsConnection): Promise<void> => {
    const refusals = watchRefusals(connection);

    /** Publishes what is new. Returns false when the server did not take it: then the connection is of no use. */
    const pass = async (): Promise<boolean> => {
      published ??= Math.max(0, (await source.latestVersion()) - 1);
      for (;;) {
        const { changes, newest } = await source.since(published, pageSize);
        for (const change of changes)
          if (subjectToken.test(change.kind))
            connection.publish(subjectOf(settings.subject_prefix, change.kind), toMessage(change));
        if (changes.length > 0 && !(await isSettled())) return false;
        published = changes.at(-1)?.version ?? Math.min(published, newest ?? 0); // the database may have gone back
        options.onPublished(changes.length);
        if (changes.length < pageSize) return true;
      }
    };
    const isSettled = () =>
      settle(connection, refusals).then(
        () => true,
        (error: unknown) => {
          kept?.fail(error);
          return false;
        },
      );

    let running: Promise<void> | undefined;
    let again = false;
    const run = async (): Promise<void> => {
      do {
        again = false;
        await pass().catch((error: unknown) => {
          options.onError(error); // the database's trouble, not that of NATS
          setTimeout(publishNow, retryMs).unref();
        });
      } while (again && !connection.isClosed());
    };
    const publishNow = (): Promise<void> => {
      again = true;
      running ??= run().finally(() => {
        running = undefined;
      });
      return running;
    };
    publish = () => void (connection.isClosed() || publishNow());
    await publishNow();
    if (refusals.last !== undefined) throw refusals.last;
  };

  return {
    start() {
      kept = keepConnection(settings, {
        name: options.name,
        opened,
        up: () => options.onUp(true),
        down: () => options.onUp(false),
        onTrouble: options.onTrouble,
      });
      options.onUp(false);
    },
    nudge: () => publish?.(),
    stop: async () => kept?.stop(),
  };
};
