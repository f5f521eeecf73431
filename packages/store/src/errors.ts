/** The database cannot be reached or does not answer: our own, passing fault. Rendered as 503 with `Retry-After`. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

/** It lets us in no more, or we it: a password, a certificate or a name changed. A request may be sent again; a start should say so. */
export class StoreRefused extends StoreUnavailable {}

/** PostgreSQL ended one of several transactions that stood in each other's way. Doing it again will do. */
export class Deadlocked extends StoreUnavailable {}

/** A row with this key is there already. `constraint` is the name of the index that says so. */
export class DuplicateRow extends Error {
  override readonly name = 'DuplicateRow';
  readonly constraint: string;
  constructor(constraint: string, cause: unknown) {
    super(`duplicate row (${constraint})`, { cause });
    this.constraint = constraint;
  }
}

/** What the row refers to was deleted meanwhile: the client, the user, the resource or the consent. */
export class ReferenceGone extends Error {
  override readonly name = 'ReferenceGone';
}

/** The table does not hold such a row. `constraint` is the name of the check that says so. */
export class CheckFailed extends Error {
  override readonly name = 'CheckFailed';
  readonly constraint: string;
  constructor(constraint: string, cause: unknown) {
    super(`a check failed (${constraint})`, { cause });
    this.constraint = constraint;
  }
}

type Coded = { code?: string; constraint?: string; message?: string };

/**
 * Node's and PostgreSQL's codes for what passes, or passes when an operator acts, without anything being wrong with the
 * request: a server away, starting, stopping, full, read-only or ill (58, XX001), or one that no longer knows how we
 * prepared a statement (26000, and 0A000 of a cached plan).
 */
const unavailable =
  /^(E(CONN(REFUSED|RESET|ABORTED)|PIPE|NOTFOUND|TIMEDOUT|HOST(UNREACH|DOWN)|AI_AGAIN|NET(UNREACH|DOWN)|NOENT)|08...|40003|57P0.|53...|58...|57014|55P03|25006|26000|XX00[12])$/;
/** Passwords and rights (28), certificates, and a database that is not there, or not at this moment of its restore (3D000). */
const refused = /^(28...|3D000|CERT_\w+|\w+_CERT\w*|UNABLE_TO_\w+|ERR_TLS_\w+)$/;
const unavailableText = /timeout|terminated|Connection ended|not queryable|Cannot use a pool|does not support SSL/i;
const stalePlan = /cached plan must not change/;

/** Turns a driver's error into ours, so that nothing above the store knows the driver. */
export const toStoreError = (error: unknown): unknown => {
  const { code, constraint, message } = (error ?? {}) as Coded;
  if (code === '23505') return new DuplicateRow(constraint ?? '', error);
  if (code === '23503') return new ReferenceGone('what the row refers to is gone', { cause: error });
  if (code === '23514') return new CheckFailed(constraint ?? '', error);
  if (code === '40P01' || code === '40001') return new Deadlocked('transactions met', { cause: error });
  if (code && refused.test(code)) return new StoreRefused(`the database is not available (${code})`, { cause: error });
  const isStale = code === '0A000' && stalePlan.test(message ?? '');
  // The driver's own texts, which have no code, are constant; those of the server may speak of rows and are kept apart.
  if (code ? unavailable.test(code) || isStale : unavailableText.test(message ?? ''))
    return new StoreUnavailable(`the database is not available (${code ?? message})`, { cause: error });
  return error;
};
