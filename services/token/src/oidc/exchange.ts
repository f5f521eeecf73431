/** The way from a code of the OpenID provider to somebody who is known there (OpenID Connect Core §3.1.3, §5.3). */
import type { Config } from '@authserver/config';
import { type ProviderMetadata, parseJson, troubleAt } from '@authserver/idp';
import {
  clientAssertionAlgorithms,
  type IdToken,
  OAuthError,
  type Profile,
  readIdToken,
  readProfile,
} from '@authserver/oauth';
import { createLimiter, type OutboundClient, OutboundError, Overloaded } from '@authserver/outbound';
import type { Metrics, OutboundPurpose } from '@authserver/telemetry';
import { decodeProtectedHeader } from 'jose';
import { z } from 'zod';
import { type SignatureCheck, signedByHolder } from '../signatures.ts';
import type { Clock } from '../time.ts';
import type { KeptIdpKeys } from '../xaa/idp-keys.ts';
import { clientAuthentication } from './client-authentication.ts';
import type { Flow } from './flow.ts';
import { RefusedSignIn } from './refused.ts';

/** @throws {RefusedSignIn} */
export type CodeExchange = (code: string, flow: Flow, metadata: ProviderMetadata) => Promise<IdToken>;

const timeoutMs = 10_000;
const maxAnswerBytes = 256 * 1024;
/** Longer than any ID token with a person's groups in it. */
const longestToken = 32_768;

const TokenAnswer = z.object({
  access_token: z.string().max(longestToken),
  token_type: z.string().regex(/^bearer$/i),
  id_token: z.string().max(longestToken),
});

export const createCodeExchange = (deps: {
  oidc: Config['oidc'];
  redirectUri: string;
  outbound: OutboundClient<OutboundPurpose>;
  keys: KeptIdpKeys;
  signedBy: SignatureCheck;
  clock: Clock;
  metrics: Pick<Metrics, 'oidcExchangeDuration'>;
}): CodeExchange => {
  const { oidc, outbound } = deps;
  const [issuer, clientId] = [oidc.issuer ?? '', oidc.client_id ?? ''];
  // Whoever begins sign-ins and comes back with made-up codes must not make a crowd of us at the provider.
  const few = createLimiter({ inFlight: 32, waiting: 128, waitMs: 3_000 });

  const redeem = async (code: string, { verifier }: Flow, metadata: ProviderMetadata) => {
    const url = metadata.token_endpoint;
    const { authorization, fields } = clientAuthentication(oidc, metadata);
    const form = new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: deps.redirectUri,
      code_verifier: verifier,
      ...fields,
    }).toString();
    const request = { url, purpose: 'oidc_token' as const, accept: 'application/json', authorization, form };
    const { status, body } = await outbound
      .post({ ...request, timeoutMs, maxBytes: maxAnswerBytes })
      .catch(unreachable(url));
    if (status !== 200) throw refusalOf(status, parseJson(body));
    const answer = TokenAnswer.safeParse(parseJson(body)).data;
    if (!answer) throw new RefusedSignIn('oidc_token_invalid', 'the token endpoint gave no access_token and id_token');
    return answer;
  };

  const verify = async (idToken: string, accessToken: string, { nonce }: Flow, metadata: ProviderMetadata) => {
    const header = readHeader(idToken);
    const idp = { id: 'oidc', issuer, jwksUri: metadata.jwks_uri };
    const signed = await signedByHolder(deps.signedBy, idToken, header, {
      known: () => deps.keys.of(idp),
      newer: (than) => deps.keys.newerOf(idp, than),
    });
    if (!signed) throw new RefusedSignIn('oidc_token_invalid', 'no key of the provider signed the ID token');
    const expected = { issuer, clientId, nonce, accessToken, alg: header.alg, now: deps.clock.now() };
    const read = readIdToken(signed.payload, expected);
    if ('problem' in read)
      throw new RefusedSignIn('oidc_token_invalid', `the ID token is not acceptable: ${read.problem}`);
    return read;
  };

  /** What the ID token does not say of an address that was asked for; about nobody else (§5.3.2). */
  const askUserinfo = async (url: string, accessToken: string, subject: string): Promise<Profile> => {
    const request = { url, purpose: 'oidc_userinfo' as const, accept: 'application/json', timeoutMs: timeoutMs / 2 };
    const authorization = `Bearer ${accessToken}`;
    const { status, body } = await outbound
      .get({ ...request, authorization, maxBytes: maxAnswerBytes })
      .catch(unreachable(url));
    if (status !== 200)
      throw new RefusedSignIn('oidc_provider_unavailable', `the userinfo endpoint answered ${status}`);
    const claims = z.looseObject({ sub: z.string() }).safeParse(parseJson(body)).data;
    if (claims?.sub !== subject)
      throw new RefusedSignIn('oidc_token_invalid', 'the userinfo endpoint speaks of somebody else than the ID token');
    return readProfile(claims);
  };

  const exchange: CodeExchange = async (code, flow, metadata) => {
    const { access_token, id_token } = await redeem(code, flow, metadata);
    const person = await verify(id_token, access_token, flow, metadata);
    const { userinfo_endpoint: userinfo } = metadata;
    if (person.profile.email !== undefined || userinfo === undefined || !oidc.scopes.includes('email')) return person;
    const told = await askUserinfo(userinfo, access_token, person.subject);
    return { ...person, profile: { email: told.email, name: person.profile.name ?? told.name } };
  };

  return async (code, flow, metadata) => {
    const started = performance.now();
    let outcome: 'success' | 'failed' = 'failed';
    try {
      const person = await few.run(() => exchange(code, flow, metadata)).catch(unavailable);
      outcome = 'success';
      return person;
    } finally {
      deps.metrics.oidcExchangeDuration.observe({ outcome }, (performance.now() - started) / 1000);
    }
  };
};

/** An answer that is no token: the code is not theirs (RFC 6749 §5.2), or the two servers do not get on. */
const refusalOf = (status: number, body: unknown): RefusedSignIn => {
  const error = (body as { error?: unknown } | undefined)?.error;
  if (status === 400 && error === 'invalid_grant')
    return new RefusedSignIn('oidc_code_refused', 'the token endpoint does not know the code');
  const known = ['invalid_client', 'unauthorized_client', 'invalid_request', 'unsupported_grant_type', 'invalid_scope'];
  const said = known.find((one) => one === error);
  return new RefusedSignIn(
    'oidc_provider_unavailable',
    `the token endpoint answered ${status}${said === undefined ? '' : ` ${said}`}`,
  );
};

const unreachable =
  (url: string) =>
  (error: unknown): never => {
    if (!(error instanceof OutboundError)) throw error;
    throw new RefusedSignIn('oidc_provider_unavailable', troubleAt(url, error).message, { cause: error });
  };

const unavailable = (error: unknown): never => {
  if (error instanceof Overloaded)
    throw new RefusedSignIn('oidc_provider_unavailable', 'too many sign-ins are waiting for the provider');
  if (error instanceof OAuthError && error.reason === 'idp_keys_unavailable')
    throw new RefusedSignIn('oidc_provider_unavailable', 'the keys of the provider could not be fetched', {
      cause: error,
    });
  throw error;
};

/** Only with an asymmetric algorithm, and nothing that says it is another kind of JWT (RFC 8725 §3.11). */
const readHeader = (idToken: string): { alg: string; kid: string | undefined } => {
  const refuse = (problem: string) =>
    new RefusedSignIn('oidc_token_invalid', `the ID token is not acceptable: ${problem}`);
  let header: ReturnType<typeof decodeProtectedHeader>;
  try {
    header = decodeProtectedHeader(idToken);
  } catch {
    throw refuse('it is no JWS');
  }
  const { alg, kid, typ } = header;
  if (!(clientAssertionAlgorithms as readonly unknown[]).includes(alg)) throw refuse('its alg is not on our list');
  if (typ !== undefined && (typeof typ !== 'string' || typ.toLowerCase() !== 'jwt')) throw refuse('its typ is another');
  if (kid !== undefined && typeof kid !== 'string') throw refuse('its kid is no text');
  return { alg: alg as string, kid };
};
