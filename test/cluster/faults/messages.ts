/** Whoever can speak on the change feed without being the control plane: a message may cost a read, and nothing else. */
import { connect } from 'node:net';
import type { Random } from '../random.ts';
import type { World } from '../world.ts';
import type { Fault } from './fault.ts';

/** Changes that never were, old ones again, and what is no message at all. */
const payloads = async (world: World, random: Random): Promise<string[]> => {
  const replayed = await world.cluster.postgres.query<{ version: string; kind: string; key: string }>(
    'select version, kind, key from changes order by random() limit 10',
  );
  const clientId = random.pick(world.population.machines).clientId;
  return [
    ...replayed.map(({ version, kind, key }) => JSON.stringify({ version: Number(version), kind, key })),
    JSON.stringify({ version: 999_999_999, kind: 'client', key: clientId }),
    JSON.stringify({ version: Number.MAX_SAFE_INTEGER, kind: 'signing_key', key: 'x' }),
    JSON.stringify({ version: 1, kind: 'dcr_mode', key: 'admin_only', mode: 'admin_only' }),
    JSON.stringify({ version: 2, kind: 'client', key: clientId, status: 'revoked' }),
    JSON.stringify({ version: -1, kind: '__proto__', key: 'constructor' }),
    JSON.stringify({ version: 3, kind: 'client', key: 'x'.repeat(6_000) }),
    '{"version":',
    'null',
    '',
  ];
};

const forgedNotify: Fault = {
  name: 'forged-notify',
  async run(world, random) {
    const all = await payloads(world, random).catch(() => []);
    for (const payload of [...all, ...all.toReversed()])
      await world.cluster.postgres.query('select pg_notify($1, $2)', ['authserver_changes', payload]).catch(() => {});
  },
};

const forgedNats: Fault = {
  name: 'forged-nats',
  possible: ({ cluster }) => cluster.nats !== undefined,
  async run(world, random) {
    const all = await payloads(world, random).catch(() => []);
    const subjects = ['authserver.changes.client', 'authserver.changes.signing_key', 'authserver.changes.nonsense'];
    await publish(
      world.cluster.nats?.port ?? 0,
      [...all, ...all.toReversed(), 'x'.repeat(900_000)].map((payload) => ({
        subject: random.pick(subjects),
        payload,
      })),
    );
  },
};

/** Speaks the protocol of NATS by hand, as a stranger would. */
const publish = (port: number, messages: readonly { subject: string; payload: string }[]): Promise<void> =>
  new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('error', () => resolve()).on('close', () => resolve());
    socket.write('CONNECT {"verbose":false,"pedantic":false}\r\n');
    for (const { subject, payload } of messages)
      socket.write(`PUB ${subject} ${Buffer.byteLength(payload)}\r\n${payload}\r\n`);
    socket.write('PING\r\n');
    socket.on('data', (chunk) => chunk.includes('PONG') && socket.end());
  });

export const messageFaults = [forgedNotify, forgedNats];
