import pg from 'pg';

/** Statements sent to PostgreSQL, of all kinds. */
export const sent = { statements: 0 };

/**
 * One statement for all requests that came while the last two were under way. `values` are the arrays of the statement,
 * a row of them for each request; `pick` finds a request's own rows.
 */
export const createBatches =
  (pool: pg.Pool) =>
  <Result>(
    name: string,
    text: string,
    pick: (rows: Record<string, unknown>[], at: number, row: unknown[]) => Result,
  ) => {
    type Waiting = { row: unknown[]; resolve: (result: Result) => void; reject: (error: Error) => void };
    let queue: Waiting[] = [];
    let inFlight = 0;
    const flush = (): void => {
      while (queue.length > 0 && inFlight < 2) {
        const batch = queue.slice(0, 256);
        queue = queue.slice(256);
        inFlight += 1;
        sent.statements += 1;
        const values = batch[0]?.row.map((_, column) => batch.map(({ row }) => row[column]));
        pool
          .query({ name, text, ...(values ? { values } : {}) })
          .then(
            ({ rows }) => batch.map(({ row, resolve }, at) => resolve(pick(rows, at, row))),
            (error: Error) => batch.map(({ reject }) => reject(error)),
          )
          .finally(() => {
            inFlight -= 1;
            flush();
          });
      }
    };
    return (...row: unknown[]): Promise<Result> =>
      new Promise((resolve, reject) => {
        queue.push({ row, resolve, reject });
        if (inFlight < 2 && queue.length === 1) setImmediate(flush);
      });
  };

export const openPool = (dsn: string | undefined): pg.Pool => new pg.Pool({ connectionString: dsn, max: 25 });
