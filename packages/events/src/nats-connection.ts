import { setTimeout } from 'node:timers/promises';
import { connect, errors, type NatsConnection } from 'nats';
import { troubleOf } from './nats-failure.ts';
import { toConnectionOptions } from './nats-options.ts';
import type { NatsSettings } from './nats-settings.ts';
import type { NatsTrouble } from './nats-trouble.ts';

const firstDelayMs = 200;
const longestDelayMs = 5_000;
/** A connection that stood this long was a good one. */
const goodAfterMs = 10_000;

export type NatsUse = {
  /** Shown to operators of the NATS server. */
  name: string;
  /** Makes a new connection useful. A rejection closes it. */
  opened(connection: NatsConnection): Promise<void>;
  /** It stands, and may be used. */
  up(): void;
  down(): void;
  onTrouble(trouble: NatsTrouble): void;
};

export type KeptConnection = {
  /** Ends the connection that stands; a new one follows. */
  fail(error: unknown): void;
  stop(): Promise<void>;
};

/**
 * A connection that is opened again whenever it is lost. NATS may be away at the start and at any time: nobody waits for
 * it. Each time it is a new connection, because what was sent or announced around the loss of the old one is gone with it.
 */
export const keepConnection = (settings: NatsSettings, use: NatsUse): KeptConnection => {
  const stopping = new AbortController();
  let connection: NatsConnection | undefined;
  let failure: unknown;

  const openOnce = async (): Promise<NatsTrouble> => {
    let stood = false;
    failure = undefined;
    try {
      connection = await connect(toConnectionOptions(settings, use.name));
      if (stopping.signal.aborted) return 'lost';
      await use.opened(connection);
      stood = true;
      use.up();
      const ended = await connection.closed();
      return laterTroubleOf(failure ?? ended);
    } catch (error) {
      return troubleOf(failure ?? error);
    } finally {
      if (stood) use.down();
      await connection?.close();
      connection = undefined;
    }
  };

  const run = async (): Promise<void> => {
    for (let delayMs = firstDelayMs; !stopping.signal.aborted; ) {
      const openedAt = performance.now();
      const trouble = await openOnce();
      if (stopping.signal.aborted) return;
      use.onTrouble(trouble);
      if (performance.now() - openedAt > goodAfterMs) delayMs = firstDelayMs;
      const wait = delayMs * (0.5 + Math.random() / 2); // not all pods at the same instant
      await setTimeout(wait, undefined, { ref: false, signal: stopping.signal }).catch(() => {});
      delayMs = Math.min(delayMs * 2, longestDelayMs);
    }
  };
  void run();

  return {
    fail(error) {
      failure = error;
      void connection?.close();
    },
    async stop() {
      stopping.abort(); // an attempt that is under way closes what it opens
      await connection?.close();
    },
  };
};

const laterTroubleOf = (error: unknown): NatsTrouble => {
  const trouble = troubleOf(error);
  return trouble === 'unreachable' ? 'lost' : trouble;
};

/** Waits until the server has seen everything sent so far, and throws what it refused meanwhile. */
export const settle = async (connection: NatsConnection, refusals: Refusals): Promise<void> => {
  await connection.flush();
  await new Promise((resolve) => setImmediate(resolve)); // a refusal comes before the answer, but is told beside it
  if (refusals.last !== undefined) throw refusals.last;
};

export type Refusals = { last: Error | undefined; onRefused?: (error: Error) => void };

/** Notes what the server does not permit on this connection. */
export const watchRefusals = (connection: NatsConnection): Refusals => {
  const refusals: Refusals = { last: undefined };
  const watch = async (): Promise<void> => {
    for await (const status of connection.status())
      if (status.type === 'error' && status.error instanceof errors.PermissionViolationError) {
        refusals.last = status.error;
        refusals.onRefused?.(status.error);
      }
  };
  void watch();
  return refusals;
};
