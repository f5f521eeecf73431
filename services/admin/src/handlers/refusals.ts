import { Problem } from '@authserver/http';
import { DuplicateRow } from '@authserver/store';

export const notFound = (what: string): Problem => new Problem('not_found', `There is no such ${what}.`);

export const conflict = (detail: string, extra: Record<string, unknown> = {}): Problem =>
  new Problem('conflict', detail, { extra });

export const invalid = (problems: readonly string[]): Problem => new Problem('invalid_request', problems.join('; '));

/** A row whose version moved on between our read and our write. Doing it all again may well succeed. */
export class ChangedMeanwhile extends Problem {
  constructor(what: string) {
    super('conflict', `The ${what} was changed by somebody else at the same moment; read it again.`);
  }
}

/** @throws {Problem} `conflict` with the text `detail` makes of the violated constraint, when a unique value is taken */
export const orConflict = async <T>(work: Promise<T>, detail: (constraint: string) => string): Promise<T> => {
  try {
    return await work;
  } catch (error) {
    if (error instanceof DuplicateRow) throw conflict(detail(error.constraint));
    throw error;
  }
};
