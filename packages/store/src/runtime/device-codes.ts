import type { Queryable, Row } from '../db.ts';

/** What a device asked for (RFC 8628 §3.1). */
export type NewDeviceCode = {
  id: string;
  deviceCodeHash: Buffer;
  userCode: string;
  clientId: string;
  /** As asked for, to be read again when a person looks at it. */
  scope: string | undefined;
  resources: readonly string[];
  /** The key the token must be asked for with. */
  dpopJkt: string | undefined;
  /** Address of the device, and the same as limits count it. */
  ip: string;
  ipKey: string;
  createdAt: Date;
  expiresAt: Date;
  intervalSeconds: number;
};

/** A request that no one has answered yet. */
export type WaitingDevice = Omit<NewDeviceCode, 'ipKey' | 'intervalSeconds'>;

/** What a poll finds, in one statement. */
export type PolledDevice = {
  clientId: string;
  expiresAt: Date;
  intervalSeconds: number;
  /** This poll came before the interval was over, and has made it longer. */
  tooFast: boolean;
  decision: 'waiting' | 'denied' | 'allowed';
};

/** Polls may come a little early: clocks and networks are not exact, and the penalty stays for good. */
const earlySeconds = 1;

export const deviceCodes = (db: Queryable) => ({
  /**
   * `taken` when another request has this user code. `full` when `most` requests from this address wait already, so that
   * whoever may ask without a secret cannot fill the table; a few more get in when they come at the same instant.
   */
  async insert(code: NewDeviceCode, most: number): Promise<'inserted' | 'taken' | 'full'> {
    const { rows } = await db.query<{ waiting: number; inserted: number }>('device_code_insert', insert, [
      code.id,
      code.deviceCodeHash,
      code.userCode,
      code.clientId,
      code.scope ?? null,
      code.resources,
      code.dpopJkt ?? null,
      code.ip,
      code.ipKey,
      code.createdAt,
      code.expiresAt,
      code.intervalSeconds,
      most,
    ]);
    if (rows[0]?.inserted === 1) return 'inserted';
    return (rows[0]?.waiting ?? 0) >= most ? 'full' : 'taken';
  },

  /** By what a person typed, or by id: only while it waits for an answer. */
  async findWaiting(by: { userCode: string } | { id: string }, now: Date): Promise<WaitingDevice | undefined> {
    const [operation, column, key] =
      'userCode' in by
        ? (['device_code_find_by_user_code', 'user_code', by.userCode] as const)
        : (['device_code_find_by_id', 'id', by.id] as const);
    const { rows } = await db.query(
      operation,
      `select id, device_code_hash, user_code, client_id, scope, resources, dpop_jkt, ip, created_at, expires_at
         from device_codes where ${column} = $1 and decided_at is null and expires_at > $2`,
      [key, now],
    );
    return rows.map(toWaiting)[0];
  },

  /** Answers the request. True for one answer, however many are given at once. */
  async decide(id: string, allowed: boolean, now: Date): Promise<boolean> {
    const { rowCount } = await db.query(
      'device_code_decide',
      'update device_codes set decided_at = $3, allowed = $2 where id = $1 and decided_at is null and expires_at > $3',
      [id, allowed, now],
    );
    return rowCount === 1;
  },

  /**
   * What has become of a device's request. While it waits for an answer the time of the poll is kept, and one that came
   * too soon makes the interval five seconds longer for good (RFC 8628 §3.5): in the row, so that every pod knows. Only
   * polls of the client it belongs to count.
   */
  async poll(deviceCodeHash: Buffer, clientId: string, now: Date): Promise<PolledDevice | undefined> {
    const { rows } = await db.query('device_code_poll', poll, [deviceCodeHash, clientId, now]);
    return rows.map(toPolled)[0];
  },
});

const insert = `
  with undecided as (
    select count(*)::int as n from device_codes where ip_key = $9 and decided_at is null and expires_at > $10
  ), inserted as (
    insert into device_codes (id, device_code_hash, user_code, client_id, scope, resources, dpop_jkt, ip, ip_key,
        created_at, expires_at, interval_seconds)
    select $1, $2, $3, $4, $5, $6::text[], $7, $8, $9, $10, $11, $12 from undecided where n < $13
    on conflict (user_code) do nothing
    returning 1
  )
  select n as waiting, (select count(*)::int from inserted) as inserted from undecided`;

const poll = `
  with polled as (
    update device_codes d
       set polled_at = $3,
           interval_seconds = d.interval_seconds + case
             when d.polled_at + make_interval(secs => d.interval_seconds - ${earlySeconds}) > $3 then 5 else 0 end
     where d.device_code_hash = $1 and d.client_id = $2 and d.decided_at is null and d.expires_at > $3
    returning d.id, d.interval_seconds
  )
  select d.client_id, d.expires_at, d.decided_at, d.allowed,
         coalesce(p.interval_seconds, d.interval_seconds) as interval_seconds,
         coalesce(p.interval_seconds > d.interval_seconds, false) as too_fast
    from device_codes d left join polled p on p.id = d.id
   where d.device_code_hash = $1`;

const toWaiting = (row: Row): WaitingDevice => ({
  id: row.id as string,
  deviceCodeHash: row.device_code_hash as Buffer,
  userCode: row.user_code as string,
  clientId: row.client_id as string,
  scope: (row.scope as string | null) ?? undefined,
  resources: row.resources as string[],
  dpopJkt: (row.dpop_jkt as string | null) ?? undefined,
  ip: row.ip as string,
  createdAt: row.created_at as Date,
  expiresAt: row.expires_at as Date,
});

const toPolled = (row: Row): PolledDevice => ({
  clientId: row.client_id as string,
  expiresAt: row.expires_at as Date,
  intervalSeconds: row.interval_seconds as number,
  tooFast: row.too_fast as boolean,
  decision: row.decided_at === null ? 'waiting' : row.allowed ? 'allowed' : 'denied',
});
