import type { Queryable, Row } from '../db.ts';

export type PushedRequest = {
  requestHash: Buffer;
  clientId: string;
  /** The request as a form, without the client's credentials. */
  query: string;
  createdAt: Date;
  /** Until then a browser may come with the `request_uri`. */
  expiresAt: Date;
  /** Until then a browser that came in time may be answered; then the row is deleted. */
  keptUntil: Date;
  answeredAt: Date | undefined;
};

/** Pushed authorization requests (RFC 9126). */
export const pushedRequests = (db: Queryable) => ({
  async insert(request: Omit<PushedRequest, 'answeredAt'>): Promise<void> {
    await db.query(
      'pushed_request_insert',
      `insert into pushed_requests (request_hash, client_id, query, created_at, expires_at, kept_until)
       values ($1, $2, $3, $4, $5, $6)`,
      [request.requestHash, request.clientId, request.query, request.createdAt, request.expiresAt, request.keptUntil],
    );
  },

  async find(requestHash: Buffer): Promise<PushedRequest | undefined> {
    const { rows } = await db.query(
      'pushed_request_find',
      `select request_hash, client_id, query, created_at, expires_at, kept_until, answered_at
         from pushed_requests where request_hash = $1`,
      [requestHash],
    );
    return rows.map(toPushedRequest)[0];
  },

  /** True for exactly one caller, however many race: a request has one answer (RFC 9126 §4, §7.3). */
  async answer(requestHash: Buffer, now: Date): Promise<boolean> {
    const { rowCount } = await db.query(
      'pushed_request_answer',
      'update pushed_requests set answered_at = $2 where request_hash = $1 and answered_at is null and kept_until > $2',
      [requestHash, now],
    );
    return rowCount === 1;
  },
});

const toPushedRequest = (row: Row): PushedRequest => ({
  requestHash: row.request_hash as Buffer,
  clientId: row.client_id as string,
  query: row.query as string,
  createdAt: row.created_at as Date,
  expiresAt: row.expires_at as Date,
  keptUntil: row.kept_until as Date,
  answeredAt: (row.answered_at as Date | null) ?? undefined,
});
