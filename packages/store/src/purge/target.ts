import type { PurgeTargetName } from '@authserver/telemetry';
import type { Database } from '../db.ts';

/** Where a batch ended, so that the next one need not walk over what this one deleted. */
export type Batch = {
  deleted: number;
  /** What to go on from; absent when nothing is left, or only rows that somebody else holds. */
  next?: string | undefined;
};

/** The rows of one table that are over, and how they go. */
export type PurgeStep = {
  table: string;
  /** Deletes about `limit` rows that are over at `now`, in short transactions. Never waits for a row somebody holds. */
  deleteSome(db: Database, at: { now: Date; limit: number; from?: string | undefined }): Promise<Batch>;
  /** How many would go. */
  count(db: Database, now: Date): Promise<number>;
  /** Since when the one that waits longest could be gone. */
  dueSince(db: Database, now: Date): Promise<Date | undefined>;
};

/** What an operator can name: one table, or several that belong together. */
export type PurgeTarget = { name: PurgeTargetName; steps: readonly PurgeStep[] };

/** What of the configuration decides when rows are over; lengths in seconds, 0 is never. */
export type PurgeSettings = {
  retention: { issuances: number; audit_events: number; families: number };
  dcr: { unused_client_ttl: number; unused_client_limit: number; idle_client_ttl: number };
  device: { code_ttl: number };
};

export const ago = (now: Date, seconds: number): Date => new Date(now.getTime() - seconds * 1000);
