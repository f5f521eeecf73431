/**
 * A load balancer as simple as they come: it asks every pod whether it is ready, sends each request to one that is, and
 * repeats nothing. What a pod did not answer it says itself, marked with a header, so that what clients saw can be told
 * from what pods said. Each pod also has a door of its own, for questions to this pod alone.
 */
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Random } from '../random.ts';

/** Why there is no answer of a pod. */
export type Failure = 'unreachable' | 'timeout' | 'no-pod';
export const failureHeader = 'x-balancer-failure';
const failureStatus: Record<Failure, number> = { unreachable: 502, timeout: 504, 'no-pod': 503 };

const PROBE_MS = 100;
const PROBE_TIMEOUT_MS = 400;
const ANSWER_TIMEOUT_MS = 5_000;

export type Target = { name: string; port: number };
export type Balancer = {
  url: string;
  /** The address of one pod, ready or not. */
  door(name: string): string;
  isReady(name: string): boolean;
  /** Takes a pod out of the round, or in again, whatever it says of itself. */
  setTarget(target: Target): Promise<void>;
  removeTarget(name: string): void;
  close(): Promise<void>;
};

type Member = Target & { ready: boolean; probe: NodeJS.Timeout; agent: Agent; door: Server };

/** Listens on `port`, which is that of the issuer. */
export const startBalancer = async (options: { port: number; random: Random }): Promise<Balancer> => {
  const members = new Map<string, Member>();

  /** When nobody is ready all are tried: what a pod has to say is better than what we make up. */
  const choose = (): Member | undefined => {
    const all = [...members.values()];
    const ready = all.filter((member) => member.ready);
    const from = ready.length > 0 ? ready : all;
    return from.length > 0 ? options.random.pick(from) : undefined;
  };
  const listen = async (port: number, target: () => Member | undefined): Promise<Server> => {
    const server = createServer({ keepAliveTimeout: 30_000 }, (incoming, outgoing) => {
      const member = target();
      if (member) forward(member, incoming, outgoing);
      else fail(outgoing, 'no-pod');
    });
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, 'localhost', resolve));
    return server;
  };
  const probe = async (member: Member): Promise<void> => {
    const ready = await isReady(member.port);
    if (members.get(member.name) !== member) return;
    member.ready = ready;
    member.probe = setTimeout(() => void probe(member), PROBE_MS);
  };

  const server = await listen(options.port, choose);
  const doors = new Map<string, { door: Server; port: number }>();

  const remove = (name: string): void => {
    const member = members.get(name);
    members.delete(name);
    if (!member) return;
    clearTimeout(member.probe);
    member.agent.destroy();
  };
  const openDoor = async (name: string): Promise<void> => {
    const door = await listen(0, () => members.get(name));
    doors.set(name, { door, port: (door.address() as AddressInfo).port });
  };

  return {
    url: `http://localhost:${options.port}`,
    door(name) {
      const door = doors.get(name);
      if (!door) throw new Error(`${name} has no door`);
      return `http://localhost:${door.port}`;
    },
    isReady: (name) => members.get(name)?.ready ?? false,
    async setTarget(target) {
      remove(target.name);
      if (!doors.has(target.name)) await openDoor(target.name);
      const agent = new Agent({ keepAlive: true, maxSockets: 200 });
      const member = { ...target, ready: false, agent } as Member;
      members.set(target.name, member);
      await probe(member);
    },
    removeTarget: remove,
    async close() {
      for (const name of [...members.keys()]) remove(name);
      for (const each of [server, ...[...doors.values()].map(({ door }) => door)]) {
        each.closeAllConnections();
        each.close();
      }
    },
  };
};

const isReady = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port, path: '/ready', timeout: PROBE_TIMEOUT_MS }, (answer) => {
      answer
        .resume()
        .on('end', () => resolve(answer.statusCode === 200))
        .on('error', () => resolve(false));
    });
    sent.on('timeout', () => sent.destroy()).on('error', () => resolve(false));
    sent.end();
  });

const forward = (member: Member, incoming: IncomingMessage, outgoing: ServerResponse): void => {
  const { method, url, headers } = incoming;
  let late = false;
  const sent = request(
    { host: '127.0.0.1', port: member.port, method, path: url, headers, agent: member.agent },
    (answer) => {
      clearTimeout(timer);
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders.length > 0 ? ownHeaders(answer) : {});
      answer.on('error', () => outgoing.destroy());
      answer.pipe(outgoing);
    },
  );
  const timer = setTimeout(() => {
    late = true;
    sent.destroy();
  }, ANSWER_TIMEOUT_MS);
  sent.on('error', ({ code = '' }: NodeJS.ErrnoException) => {
    clearTimeout(timer);
    fail(outgoing, late ? 'timeout' : 'unreachable', { pod: member.name, code, ready: member.ready });
  });
  outgoing.on('close', () => outgoing.writableFinished || sent.destroy());
  incoming.pipe(sent);
};

/** Hop-by-hop headers end here (RFC 9110 §7.6.1). */
const ownHeaders = ({ headers }: IncomingMessage): Record<string, string | string[]> =>
  Object.fromEntries(
    Object.entries(headers).filter(
      (header): header is [string, string | string[]] =>
        header[1] !== undefined && !['connection', 'keep-alive', 'transfer-encoding'].includes(header[0]),
    ),
  );

/** `about` is for whoever reads of a violation: a connection that was refused is another matter than one that broke. */
const fail = (outgoing: ServerResponse, failure: Failure, about: Record<string, unknown> = {}): void => {
  if (outgoing.headersSent) return void outgoing.destroy();
  outgoing.writeHead(failureStatus[failure], { [failureHeader]: failure, 'content-type': 'application/json' });
  outgoing.end(JSON.stringify(about));
};
