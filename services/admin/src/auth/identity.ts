import type { AdminRole } from '@authserver/admin-api';
import type { FastifyRequest } from 'fastify';

/** Whom a key stands for. */
export type Identity = {
  /** As the audit trail says it: `key:` and the id of a key of ours, or the name of the configured one. */
  actorId: string;
  role: AdminRole;
  /** Absent for the configured key. */
  key?: { id: string; label: string };
};

const identities = new WeakMap<FastifyRequest, Identity>();

export const setIdentity = (request: FastifyRequest, identity: Identity): void => {
  identities.set(request, identity);
};

/** Who sent a request that got past the guard. */
export const identityOf = (request: FastifyRequest): Identity => {
  const identity = identities.get(request);
  if (!identity) throw new Error('a route outside the guard asks who is calling');
  return identity;
};
