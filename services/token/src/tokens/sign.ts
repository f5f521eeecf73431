import { type Keyring, SigningUnavailable } from '@authserver/keys';
import { currentSpan, inSpan, type Metrics } from '@authserver/telemetry';

export type SignJwt = Keyring['signJwt'];

/** Signs as the keyring does, and counts what could not be signed; a signature from elsewhere is timed as well. */
export const createSigning = ({ keyring, metrics }: { keyring: Keyring; metrics: Metrics }): SignJwt => {
  const failed = (error: unknown): never => {
    if (error instanceof SigningUnavailable) metrics.signingFailures.inc({ reason: error.failure });
    throw error;
  };
  const sign: SignJwt = (payloadJson, typ) => {
    const signed = keyring.signJwt(payloadJson, typ);
    const span = currentSpan();
    if (span) {
      const { kid, alg } = keyring.current();
      span.set({ kid, algorithm: alg });
    }
    return signed;
  };
  return (payloadJson, typ) => {
    const start = performance.now();
    let signed: string | Promise<string>;
    try {
      signed = inSpan('sign', () => sign(payloadJson, typ));
    } catch (error) {
      return failed(error);
    }
    if (typeof signed === 'string') return signed;
    return signed
      .finally(() => metrics.remoteSigningDuration.observe((performance.now() - start) / 1000))
      .catch(failed);
  };
};
