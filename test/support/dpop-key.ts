import { randomUUID } from 'node:crypto';
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

/** What a proof is made for. */
type Issuer = { issuer: string; clock: { now(): Date } };

export type ProofChanges = {
  /** Replace what a good proof claims, or leave it out. */
  claims?: Record<string, unknown>;
  /** The same for its protected header. */
  header?: Record<string, unknown>;
};

/** A key a client proves its possession of (RFC 9449), and the proofs it makes with it. */
export class DpopKey {
  readonly alg: string;
  /** Its thumbprint, as `cnf.jkt` and `dpop_jkt` carry it. */
  readonly jkt: string;
  readonly publicJwk: JWK;
  readonly privateKey: CryptoKey;
  readonly #server: Issuer;

  private constructor(server: Issuer, alg: string, privateKey: CryptoKey, publicJwk: JWK, jkt: string) {
    this.#server = server;
    this.alg = alg;
    this.privateKey = privateKey;
    this.publicJwk = publicJwk;
    this.jkt = jkt;
  }

  static async create(server: Issuer, alg = 'ES256'): Promise<DpopKey> {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    const jwk = await exportJWK(publicKey);
    return new DpopKey(server, alg, privateKey, jwk, await calculateJwkThumbprint(jwk));
  }

  /** A proof for the token endpoint, fresh unless changed. */
  proof({ claims = {}, header = {} }: ProofChanges = {}): Promise<string> {
    const payload = {
      jti: randomUUID(),
      htm: 'POST',
      htu: `${this.#server.issuer}/oauth/token`,
      iat: Math.floor(this.#server.clock.now().getTime() / 1000),
      ...claims,
    };
    return new SignJWT(JSON.parse(JSON.stringify(payload)))
      .setProtectedHeader(
        JSON.parse(JSON.stringify({ typ: 'dpop+jwt', alg: this.alg, jwk: this.publicJwk, ...header })),
      )
      .sign(this.privateKey);
  }

  /** The header a request carries a proof in. */
  async header(changes: ProofChanges = {}): Promise<Record<string, string>> {
    return { dpop: await this.proof(changes) };
  }
}
