/**
 * Sign-in at an OpenID provider: this folder owns the way there and back, and who the provider says came back. What becomes
 * of them here (account, session, the request that waits) is for `routes/oidc.ts`.
 *
 * `flow.ts` what the browser carries · `authorization-url.ts` the way there · `exchange.ts` from the code to somebody ·
 * `provider.ts` where the provider is.
 */
import { fetchInSpan } from '@authserver/boot';
import { type Config, isLocalhostIssuer } from '@authserver/config';
import { createIdpKeys, type ProviderMetadata } from '@authserver/idp';
import { createOutboundClient, type OutboundFailure, type Resolve } from '@authserver/outbound';
import type { Logger, Metrics, OutboundPurpose } from '@authserver/telemetry';
import type { Secrets } from '../secrets.ts';
import type { SignatureCheck } from '../signatures.ts';
import type { Clock } from '../time.ts';
import { keepIdpKeys } from '../xaa/idp-keys.ts';
import { type Asking, authorizationUrl } from './authorization-url.ts';
import { type CodeExchange, createCodeExchange } from './exchange.ts';
import { type Begun, createFlows, type Flows } from './flow.ts';
import { openIdProvider } from './provider.ts';

export type ProviderLogin = {
  issuer: string;
  /** What the provider is called on our pages. */
  displayName: string;
  flows: Flows;
  /** The way there from our sign-in page, for what waits. */
  button(carried: Record<string, string | undefined>): { displayName: string; href: string };
  /** @throws {RefusedSignIn} `oidc_provider_unavailable` */
  metadata(): Promise<ProviderMetadata>;
  /** Where a browser goes to sign in there. */
  authorizationUrl(metadata: ProviderMetadata, begun: Begun, asking: AskingSince): string;
  exchange: CodeExchange;
};

/** `freshFrom`: since when, in milliseconds, they must have proven who they are. */
type AskingSince = Omit<Asking, 'maxAgeSeconds'> & { freshFrom: number | undefined };

export const createProviderLogin = (deps: {
  config: Config;
  basePath: string;
  secrets: Secrets;
  signedBy: SignatureCheck;
  clock: Clock;
  metrics: Metrics;
  logger: Logger;
  resolveHost: Resolve | undefined;
  onEnd: (purpose: OutboundPurpose, outcome: 'answered' | OutboundFailure) => void;
}): ProviderLogin | undefined => {
  const { config, clock, metrics } = deps;
  const { oidc, server } = config;
  if (!oidc.enabled || oidc.issuer === undefined) return undefined;
  const issuer = oidc.issuer;
  const isLocal = isLocalhostIssuer(server.issuer);
  const outbound = createOutboundClient<OutboundPurpose>({
    allowHttp: isLocal || isLocalhostIssuer(issuer),
    allowPrivateAddresses: isLocal || oidc.allow_private_addresses,
    resolve: deps.resolveHost,
    around: fetchInSpan,
    onEnd: deps.onEnd,
  });
  const keys = keepIdpKeys({
    idpKeys: createIdpKeys({ outbound, searchMs: 5_000, atOnce: 2 }),
    ttlSeconds: config.xaa.jwks_cache_ttl,
    clock,
    metrics,
  });
  const redirectUri = oidc.redirect_uri ?? `${server.issuer}/oidc/callback`;
  const provider = openIdProvider({ issuer, outbound, allowHttp: isLocal || isLocalhostIssuer(issuer) });
  // So that a mistake in the settings is in the log before anybody signs in; the provider may also come later than we.
  provider
    .metadata()
    .catch((error: Error) => deps.logger.warn({ cause: error.message }, 'the OpenID provider cannot be used'));

  const displayName = oidc.display_name ?? 'single sign-on';

  return {
    issuer,
    displayName,
    button(carried) {
      const given = Object.entries(carried).filter((entry): entry is [string, string] => entry[1] !== undefined);
      const query = new URLSearchParams(given);
      return { displayName, href: `${deps.basePath}/oidc/start${query.size > 0 ? `?${query}` : ''}` };
    },
    flows: createFlows({ secrets: deps.secrets, clock, config }),
    metadata: provider.metadata,
    authorizationUrl: (metadata, begun, { freshFrom, ...asking }) => {
      const age = freshFrom === undefined ? undefined : Math.floor((clock.now().getTime() - freshFrom) / 1000);
      const maxAgeSeconds = age === undefined ? undefined : Math.max(0, age);
      return authorizationUrl(oidc, redirectUri, metadata, begun, { ...asking, maxAgeSeconds });
    },
    exchange: createCodeExchange({ oidc, redirectUri, outbound, keys, signedBy: deps.signedBy, clock, metrics }),
  };
};
