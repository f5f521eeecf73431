import { connect, createServer, type Socket } from 'node:net';

/** Where the line breaks: before the statement reaches PostgreSQL, or when it is done and before the answer is back. */
export type CutAt = { statement: string; nth: number; when: 'before' | 'after' };

/** What runs beside the requests: the change feed, housekeeping, probes, notes of use, and what a connection is told first. */
const isBackground = (statement: string): boolean =>
  /^(change_(since|latest|newest|version)|changes_|partitions|lease_|purge_|ping|migrat|signing_keys|connection_event|client_touch|client_note|client_use|listen|unlisten|set |select 1 from pg_listening)/i.test(
    statement,
  );

/**
 * A proxy that reads along in the protocol of PostgreSQL, and can break every connection at one statement of a request.
 * `begin` and `commit` are statements too.
 */
export const startPostgresProxy = async (dsn: string) => {
  const target = new URL(dsn);
  const port = Number(target.port || 5432);
  const sockets = new Set<Socket>();
  let down = false;
  let armed: CutAt | undefined;
  let seen: string[] = [];

  const cut = (): void => {
    down = true;
    for (const socket of sockets) socket.destroy();
  };

  const server = createServer((downstream) => {
    sockets.add(downstream);
    downstream.on('error', () => {}).on('close', () => sockets.delete(downstream));
    if (down) return void downstream.destroy();
    const upstream = connect({ host: target.hostname, port });
    sockets.add(upstream);
    upstream.on('error', () => {}).on('close', () => sockets.delete(upstream) && downstream.destroy());
    downstream.on('close', () => upstream.destroy());

    let held: 'nothing' | 'answer' = 'nothing';
    /** True when the line is broken here. */
    const breaksAt = (statement: string): boolean => {
      if (isBackground(statement)) return false;
      seen.push(statement);
      if (armed?.statement !== statement || seen.filter((name) => name === statement).length !== armed.nth)
        return false;
      if (armed.when === 'after') held = 'answer';
      return armed.when === 'before';
    };
    const requests = readMessages({ startup: true });
    let statement = '';
    let waiting: Buffer[] = [];
    downstream.on('data', (chunk: Buffer) => {
      for (const { type, body, raw } of requests(chunk)) {
        waiting.push(raw);
        if (type === 'B') statement = textAt(body, body.indexOf(0) + 1);
        if (type === 'Q') statement = textAt(body, 0);
        if (type === 'Q' || type === 'S') {
          if (breaksAt(statement)) return cut();
          statement = '';
        } else if (type !== undefined && type !== 'X' && type !== 'p') continue;
        upstream.write(Buffer.concat(waiting));
        waiting = [];
      }
    });
    const answers = readMessages({ startup: false });
    upstream.on('data', (chunk: Buffer) => {
      if (held === 'nothing') downstream.write(chunk);
      for (const { type } of answers(chunk)) if (held === 'answer' && type === 'Z') return cut();
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  const through = new URL(dsn);
  through.hostname = '127.0.0.1';
  through.port = String(address && typeof address === 'object' ? address.port : 0);

  return {
    dsn: through.href,
    /** From now on statements are counted, and at one of them every connection breaks and stays broken. */
    arm(at?: CutAt): void {
      armed = at;
      seen = [];
    },
    /** The statements of requests since then, by the names they are prepared under. */
    statements: (): readonly string[] => seen,
    hasCut: () => down,
    mend(): void {
      down = false;
      armed = undefined;
    },
    close(): void {
      cut();
      server.close();
    },
  };
};

type Message = { type: string | undefined; body: Buffer; raw: Buffer };

/** Splits a stream into messages; the first of a client has no type. */
const readMessages = ({ startup }: { startup: boolean }): ((chunk: Buffer) => Message[]) => {
  let rest: Buffer = Buffer.alloc(0);
  let untyped = startup;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    const messages: Message[] = [];
    for (;;) {
      const head = untyped ? 0 : 1;
      if (rest.length < head + 4) return messages;
      const end = head + rest.readInt32BE(head);
      if (rest.length < end) return messages;
      const type = untyped ? undefined : String.fromCharCode(rest[0] as number);
      messages.push({ type, body: rest.subarray(head + 4, end), raw: rest.subarray(0, end) });
      rest = rest.subarray(end);
      untyped = false;
    }
  };
};

const textAt = (body: Buffer, from: number): string => body.toString('utf8', from, body.indexOf(0, from));
