import type { FastifyInstance } from 'fastify';

const exposed = 'WWW-Authenticate, DPoP-Nonce, Retry-After, RateLimit, RateLimit-Policy';
/** Browser clients of MCP send their protocol headers to whatever they fetch. */
const allowed = 'Content-Type, Authorization, DPoP, MCP-Protocol-Version, Mcp-Method, Mcp-Name';

/**
 * CORS for the protocol endpoints: they use no cookies, so any origin may call them, without credentials, and read the
 * headers it needs (RFC 9449 §8.2). The instance given here must hold no page: authorize, login and consent never have it.
 */
export const allowCrossOrigin = (
  app: FastifyInstance,
  origins: readonly string[],
  preflightUrls: readonly string[],
): void => {
  if (origins.length === 0) return;
  const any = origins.includes('*');

  app.addHook('onRequest', (request, reply, done) => {
    const { origin } = request.headers;
    if (!any) reply.header('vary', 'Origin');
    if (origin !== undefined && (any || origins.includes(origin)))
      reply.header('access-control-allow-origin', any ? '*' : origin).header('access-control-expose-headers', exposed);
    done();
  });

  for (const url of preflightUrls)
    app.options(url, async (_request, reply) =>
      reply
        .header('access-control-allow-methods', 'GET, POST, PUT, DELETE, OPTIONS')
        .header('access-control-allow-headers', allowed)
        .header('access-control-max-age', '86400')
        .code(204)
        .send(),
    );
};
