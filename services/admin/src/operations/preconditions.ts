import { Problem } from '@authserver/http';

/** The entity tag of a row's version (RFC 9110 §8.8.3). */
export const toEtag = (version: number): string => `"${version}"`;

/** A check of the version of the row that is about to change against an `If-Match` header (RFC 9110 §13.1.1). */
export const matchVersion =
  (ifMatch: string | undefined) =>
  (version: number): void => {
    if (ifMatch !== undefined && !listed(ifMatch, version, strong)) throw preconditionFailed();
  };

/** Whether an `If-None-Match` header says that the caller has this version already (RFC 9110 §13.1.2). */
export const isKnownVersion = (ifNoneMatch: string | undefined, version: number | undefined): boolean =>
  ifNoneMatch !== undefined && version !== undefined && listed(ifNoneMatch, version, weak);

export const preconditionFailed = (): Problem =>
  new Problem('precondition_failed', 'It was changed since you read it, so If-Match does not hold; read it again.');

const strong = (tag: string): string => tag;
const weak = (tag: string): string => tag.replace(/^W\//, '');

const listed = (header: string, version: number, comparison: (tag: string) => string): boolean =>
  header.split(',').some((item) => ['*', toEtag(version)].includes(comparison(item.trim())));
