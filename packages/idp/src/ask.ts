import { type OutboundClient, OutboundError, type OutboundFailure, type OutboundResponse } from '@authserver/outbound';
import type { OutboundPurpose } from '@authserver/telemetry';

/** The identity provider's fault, or its host's. The message is for an operator and names no address behind a name. */
export class IdpTrouble extends Error {
  override readonly name = 'IdpTrouble';
}

/** Asks a host within what is left of a time for several requests. @throws {IdpTrouble} when it gives no answer */
export type Ask = (url: string, purpose: OutboundPurpose, maxBytes: number) => Promise<OutboundResponse>;

export const askWithin = (outbound: OutboundClient<OutboundPurpose>, ms: number): Ask => {
  const until = performance.now() + ms;
  return (url, purpose, maxBytes) =>
    outbound
      .get({ url, purpose, accept: 'application/json', timeoutMs: Math.max(1, until - performance.now()), maxBytes })
      .catch((error: unknown) => {
        throw error instanceof OutboundError ? troubleAt(url, error) : error;
      });
};

export const troubleAt = (url: string, error: OutboundError): IdpTrouble =>
  new IdpTrouble(`${url}: ${sentences[error.failure]}`, { cause: error });

const sentences: Record<OutboundFailure, string> = {
  forbidden:
    'this server does not go there (not https, or not on the public internet; see xaa.allow_private_addresses and oidc.allow_private_addresses)',
  unreachable: 'could not be reached',
  timeout: 'gave no complete answer in time',
  oversized: 'the answer is too large',
  malformed: 'the answer is not HTTP',
};

export const parseJson = (body: Buffer): unknown => {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
};
