import type { Config } from '@authserver/config';
import type { OutboundPurpose } from '@authserver/telemetry';
import { type Finding, ok, problem } from './finding.ts';

const side = 'OpenID provider';
const timeoutMs = 5_000;

/** Whether people can be sent to the provider, and what it signs about them could be checked. */
export const lookAtProvider = async ({ oidc, server }: Config): Promise<Finding[]> => {
  if (!oidc.enabled || oidc.issuer === undefined) return [];
  const [{ askWithin, createIdpKeys, findProvider, IdpTrouble }, { createOutboundClient }, { isLocalhostIssuer }] =
    await Promise.all([import('@authserver/idp'), import('@authserver/outbound'), import('@authserver/config')]);
  const isLocal = isLocalhostIssuer(server.issuer);
  const outbound = createOutboundClient<OutboundPurpose>({
    allowHttp: isLocal || isLocalhostIssuer(oidc.issuer),
    allowPrivateAddresses: isLocal || oidc.allow_private_addresses,
  });
  const { issuer } = oidc;
  try {
    const metadata = await findProvider(askWithin(outbound, timeoutMs), issuer);
    const { keys } = await createIdpKeys({ outbound, searchMs: timeoutMs, atOnce: 1 }).find({
      issuer,
      jwksUri: metadata.jwks_uri,
    });
    return [ok(side, `${issuer} answers, with ${keys.length} ${keys.length === 1 ? 'key' : 'keys'} for ID tokens`)];
  } catch (error) {
    if (!(error instanceof IdpTrouble)) throw error;
    return [problem(side, error.message, 'see oidc.issuer in the configuration; nobody can sign in there meanwhile')];
  }
};
