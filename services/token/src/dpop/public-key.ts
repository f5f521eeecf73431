import { z } from 'zod';

/** A number or coordinate, to the letter: decoders put up with padding and line breaks, thumbprints do not. */
const value = z.string().regex(/^[A-Za-z0-9_-]+$/, 'is not base64url');

/** Members of a JWK that nobody but its owner may know (RFC 7518 §6.2.2, §6.3.2, §6.4). */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/**
 * The public key of a proof: P-256, P-384, Ed25519, or RSA from 2048 bits. What else is in the JWK (`kid`, `use`,
 * `key_ops`) is left out; a private key is refused, for it has been sent around (RFC 9449 §4.3).
 */
export const PublicKey = z
  .record(z.string(), z.unknown())
  .refine((jwk) => !privateMembers.some((name) => name in jwk), 'holds a private key')
  .pipe(
    z.discriminatedUnion('kty', [
      z.object({ kty: z.literal('EC'), crv: z.enum(['P-256', 'P-384']), x: value, y: value }),
      z.object({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: value }),
      z.object({
        kty: z.literal('RSA'),
        // 8192 bits and a short exponent: the longer they are, the longer a stranger can make us compute. Under 2048 bits
        // jose refuses the key (RFC 7518 §3.3).
        n: value.max(1366, 'is too long'),
        e: value.max(6, 'is too long'),
      }),
    ]),
  );
