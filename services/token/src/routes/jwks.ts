import { JWKS_MAX_AGE_SECONDS, type Keyring, type PublicJwk } from '@authserver/keys';
import type { Client } from '@authserver/store';
import type { FastifyPluginAsync, FastifyReply } from 'fastify';
import type { Lookups } from '../lookups.ts';
import type { Clock } from '../time.ts';
import { sendDocument } from './document.ts';
import { oncePer } from './once-per.ts';

export type JwksRouteDeps = {
  keyring: Keyring;
  clock: Clock;
  lookups: Pick<Lookups, 'agents'>;
  /** `agents.enable_jwks_listing` */
  agentListing: boolean;
};

/**
 * The public signing keys (RFC 7517 §5). From memory: they must answer while everything else is down. Beside them, if the
 * operator wants it, the agents that may be named in `act` and `agent_id`: as far as they are known.
 */
export const jwksRoute: FastifyPluginAsync<JwksRouteDeps> = async (app, { keyring, clock, lookups, agentListing }) => {
  const write = oncePer((...keys: PublicJwk[]) => JSON.stringify({ keys }));
  const send = (reply: FastifyReply, document: string): FastifyReply =>
    sendDocument(reply, document, JWKS_MAX_AGE_SECONDS);
  if (!agentListing) {
    app.get('/.well-known/jwks.json', (_request, reply) => {
      void send(reply, write(...keyring.jwks(clock.now()).keys));
    });
    return;
  }
  app.get('/.well-known/jwks.json', async (_request, reply) => {
    const agents = await lookups.agents().catch(() => undefined);
    const { keys } = keyring.jwks(clock.now());
    return send(reply, JSON.stringify({ keys, ...(agents && { agents: agents.map(toAgent) }) }));
  });
};

const toAgent = ({ clientId, clientName, agentDescription }: Client) => ({
  agent_id: clientId,
  name: clientName,
  ...(agentDescription === '' ? {} : { description: agentDescription }),
});
