import { endOfTurn } from '@authserver/http';
import { type Keyring, SigningUnavailable } from '@authserver/keys';
import { currentSpan, inSpan, type Metrics } from '@authserver/telemetry';

/** @throws {SigningUnavailable} when the key could not be confirmed in time, or its home does not sign */
export type SignJwt = (payloadJson: string, typ?: string) => Promise<string>;

/**
 * Signs as the keyring does, and counts what could not be signed; a signature from elsewhere is timed as well.
 *
 * What is signed in one turn of the event loop is signed in a row (decision 0042): a signature reads 150 kB of tables, which
 * are still in the cache of the core for the next one, and pushes out of it what all other work needs.
 */
export const createSigning = ({ keyring, metrics }: { keyring: Keyring; metrics: Metrics }): SignJwt => {
  const sign = (payloadJson: string, typ: string | undefined): string | Promise<string> => {
    const signed = keyring.signJwt(payloadJson, typ);
    const span = currentSpan();
    if (span) {
      const { kid, alg } = keyring.current();
      span.set({ kid, algorithm: alg });
    }
    return signed;
  };
  return async (payloadJson, typ) => {
    await endOfTurn();
    const start = performance.now();
    try {
      const signed = inSpan('sign', () => sign(payloadJson, typ));
      if (typeof signed === 'string') return signed;
      return await signed.finally(() => metrics.remoteSigningDuration.observe((performance.now() - start) / 1000));
    } catch (error) {
      if (error instanceof SigningUnavailable) metrics.signingFailures.inc({ reason: error.failure });
      throw error;
    }
  };
};
