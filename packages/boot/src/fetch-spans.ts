import { currentSpan, inSpan, type OutboundPurpose } from '@authserver/telemetry';

/** Asked of hosts that an operator has named as their own identity provider. All others were named by a client. */
const toOurOwn: ReadonlySet<OutboundPurpose> = new Set(['idp_metadata', 'idp_keys', 'oidc_token', 'oidc_userinfo']);

/**
 * A request to another host as a span of the request that needs it. Our trace is named to hosts of the operator's choice
 * only: for a stranger it is a mark by which two of our requests can be told to belong together.
 */
export const fetchInSpan = <Response extends { status: number }>(
  { purpose, url, method }: { purpose: OutboundPurpose; url: string; method: 'GET' | 'POST' },
  ask: (traceparent?: string) => Promise<Response>,
): Promise<Response> =>
  inSpan(
    `${method} ${purpose}`,
    async () => {
      const span = currentSpan();
      const response = await ask(toOurOwn.has(purpose) ? span?.traceparent : undefined);
      span?.set({ 'http.response.status_code': response.status });
      return response;
    },
    { kind: 'client', attributes: { 'http.request.method': method, 'server.address': URL.parse(url)?.hostname ?? '' } },
  );
