/**
 * Why a request did not end in an answer. Closed, so that it can be a metric label:
 * `forbidden` is the URL or an address behind it, `unreachable` name resolution, connection or TLS, `oversized` a body
 * beyond the limit, `malformed` something that is no HTTP or is encoded in a way we did not ask for.
 */
export const outboundFailures = ['forbidden', 'unreachable', 'timeout', 'oversized', 'malformed'] as const;
export type OutboundFailure = (typeof outboundFailures)[number];

/**
 * A request that was not answered. The message is for our log and names no address: whoever chose the host must not learn
 * from us what is where in our network. It never holds anything of the response.
 */
export class OutboundError extends Error {
  override readonly name = 'OutboundError';
  readonly failure: OutboundFailure;
  constructor(failure: OutboundFailure, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.failure = failure;
  }
}
