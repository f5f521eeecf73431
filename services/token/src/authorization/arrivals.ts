import { type FormParams, formatForm } from '@authserver/http';
import type { Clock } from '../time.ts';
import { type Pending, toParams } from './pending.ts';
import { isPushedUri, type PushedRequests } from './pushed.ts';
import type { Asked } from './request.ts';
import { UntrustedRequest } from './target.ts';

export type ArrivalDeps = { pushed: PushedRequests; clock: Clock };

/** Sealed, a longer one would not fit into the next address. Whoever needs more may push it. */
const longestQuery = 8 * 1024;

/**
 * A request as it comes to the authorization endpoint: written out, or by reference to what was pushed. Whatever stands
 * beside a reference is ignored, because nobody vouches for it (RFC 9126 §4).
 *
 * @throws {UntrustedRequest}
 */
export const arrive = async (raw: FormParams, { pushed, clock }: ArrivalDeps): Promise<Asked> => {
  const { request_uri: requestUri, client_id: clientId } = raw;
  if (Array.isArray(requestUri))
    throw new UntrustedRequest('The request names more than one request_uri.', 'duplicate_parameter');
  if (requestUri !== undefined && isPushedUri(requestUri)) {
    if (Array.isArray(clientId))
      throw new UntrustedRequest('The request names more than one client or address.', 'duplicate_parameter');
    return pushed.open(requestUri, clientId === '' ? undefined : clientId, clock.now());
  }
  if (mayBeTooLong(raw) && formatForm(raw).length > longestQuery)
    throw new UntrustedRequest('The request is too long. The app can push it first (RFC 9126).', 'invalid_request');
  return { params: raw, pushed: undefined, askedAt: clock.now() };
};

/** A cheap look before it is written out. A character becomes three bytes at most, and a byte three characters (RFC 3629 §3). */
const mayBeTooLong = (raw: FormParams): boolean => {
  let characters = 0;
  for (const name in raw) {
    const value = raw[name] as string | string[];
    if (typeof value === 'string') characters += name.length + value.length + 2;
    else for (const one of value) characters += name.length + one.length + 2;
  }
  return characters * 9 > longestQuery;
};

/**
 * A request that waited for a person. It is as old as it is: what `prompt` and `max_age` demand is measured from when the
 * client asked.
 *
 * @throws {UntrustedRequest} when it was pushed and has been answered meanwhile
 */
export const reopen = async (waiting: Pending, { pushed }: ArrivalDeps): Promise<Asked> => {
  const askedAt = new Date(waiting.askedAt);
  if (waiting.pushed !== undefined) return pushed.reopen(Buffer.from(waiting.pushed, 'base64url'), askedAt);
  return { params: toParams(waiting), pushed: undefined, askedAt };
};
