/** Where the public keys of an identity provider are, and what they are: asked of its host, through the guarded client. */
import { type Jwk, publicKeyProblem } from '@authserver/oauth';
import {
  createLimiter,
  type OutboundClient,
  OutboundError,
  type OutboundFailure,
  Overloaded,
} from '@authserver/outbound';
import type { OutboundPurpose } from '@authserver/telemetry';
import { z } from 'zod';

export type FoundKeys = { jwksUri: string; keys: readonly Jwk[] };

/** The identity provider's fault, or its host's. The message is for an operator and names no address behind a name. */
export class IdpTrouble extends Error {
  override readonly name = 'IdpTrouble';
}

/** Too many are being asked at this moment; nothing is known about this one. */
export class IdpsBusy extends Error {
  override readonly name = 'IdpsBusy';
}

export type IdpKeys = {
  /**
   * The usable keys at `jwksUri`, or where the metadata of the issuer says.
   *
   * @throws {IdpTrouble}
   * @throws {IdpsBusy}
   */
  find(idp: { issuer: string; jwksUri: string | undefined }): Promise<FoundKeys>;
};

const maxMetadataBytes = 128 * 1024;
const maxKeyBytes = 256 * 1024;
const maxKeys = 100;

const Metadata = z.object({ issuer: z.string(), jwks_uri: z.string().max(2000) });
const KeySet = z.object({ keys: z.array(z.unknown()) });

export const createIdpKeys = (deps: {
  outbound: OutboundClient<OutboundPurpose>;
  /** For all requests of one search. */
  searchMs: number;
  /** Searches at once: slow hosts must not hold what all callers share. */
  atOnce: number;
}): IdpKeys => {
  const few = createLimiter({ inFlight: deps.atOnce, waiting: 0, waitMs: 0 });

  const search = async (idp: { issuer: string; jwksUri: string | undefined }): Promise<FoundKeys> => {
    const until = performance.now() + deps.searchMs;
    const get = async (url: string, purpose: OutboundPurpose, maxBytes: number) => {
      const timeoutMs = Math.max(1, until - performance.now());
      return deps.outbound
        .get({ url, purpose, accept: 'application/json', timeoutMs, maxBytes })
        .catch((error: unknown) => {
          if (!(error instanceof OutboundError)) throw error;
          throw new IdpTrouble(`${url}: ${sentences[error.failure]}`, { cause: error });
        });
    };

    const discover = async (): Promise<string> => {
      const told: string[] = [];
      for (const url of metadataUrls(idp.issuer)) {
        const { status, body } = await get(url, 'idp_metadata', maxMetadataBytes);
        if (status !== 200) {
          told.push(`${url} answered ${status}`);
          continue;
        }
        const metadata = Metadata.safeParse(parseJson(body)).data;
        if (!metadata) throw new IdpTrouble(`${url} is no metadata with issuer and jwks_uri`);
        // RFC 8414 §3.3: otherwise one host could hand out keys in the name of another.
        if (metadata.issuer !== idp.issuer) throw new IdpTrouble(`${url} speaks for another issuer`);
        return metadata.jwks_uri;
      }
      throw new IdpTrouble(told.join(', '));
    };

    const jwksUri = idp.jwksUri ?? (await discover());
    const { status, body } = await get(jwksUri, 'idp_keys', maxKeyBytes);
    if (status !== 200) throw new IdpTrouble(`${jwksUri} answered ${status}`);
    const set = KeySet.safeParse(parseJson(body)).data;
    if (!set) throw new IdpTrouble(`${jwksUri} is no JWK Set (RFC 7517 §5)`);
    const keys = set.keys.slice(0, maxKeys).filter(isUsable);
    if (keys.length === 0)
      throw new IdpTrouble(
        `${jwksUri} has no usable public key: EC P-256 or P-384, RSA of 2048 to 8192 bits, or Ed25519, for signatures`,
      );
    return { jwksUri, keys };
  };

  return {
    find: (idp) =>
      few
        .run(() => search(idp))
        .catch((error: unknown) => {
          throw error instanceof Overloaded ? new IdpsBusy('too many identity providers are being asked') : error;
        }),
  };
};

/** OpenID Connect Discovery §4 appends its path to the issuer, RFC 8414 §3.1 puts its own between host and path. */
export const metadataUrls = (issuer: string): string[] => {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  return [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ];
};

const sentences: Record<OutboundFailure, string> = {
  forbidden:
    'this server does not go there (not https, or not on the public internet; see xaa.allow_private_addresses)',
  unreachable: 'could not be reached',
  timeout: 'gave no complete answer in time',
  oversized: 'the answer is too large',
  malformed: 'the answer is not HTTP',
};

const parseJson = (body: Buffer): unknown => {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
};

const isUsable = (key: unknown): key is Jwk =>
  typeof key === 'object' && key !== null && !Array.isArray(key) && publicKeyProblem(key as Jwk) === undefined;
