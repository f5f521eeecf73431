/** The database cannot be reached or does not answer: our own, passing fault. Rendered as 503 with `Retry-After`. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

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

type Coded = { code?: string; constraint?: string; message?: string };

/** Node's and PostgreSQL's codes for what passes: a server away, starting, stopping or full. */
const unavailable =
  /^(ECONNREFUSED|ECONNRESET|EPIPE|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH|EAI_AGAIN|ENETUNREACH|08...|57P0.|53...|57014|55P03|25006)$/;
const unavailableText = /timeout|terminated|Connection ended|not queryable|Cannot use a pool/i;

/** Turns a driver's error into ours, so that nothing above the store knows the driver. */
export const toStoreError = (error: unknown): unknown => {
  const { code, constraint, message } = (error ?? {}) as Coded;
  if (code === '23505') return new DuplicateRow(constraint ?? '', error);
  if (code === '23503') return new ReferenceGone('what the row refers to is gone', { cause: error });
  if (code === '40P01' || code === '40001') return new Deadlocked('transactions met', { cause: error });
  if (code ? unavailable.test(code) : unavailableText.test(message ?? ''))
    return new StoreUnavailable('the database is not available', { cause: error });
  return error;
};
