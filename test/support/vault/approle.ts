/** The AppRole auth method. https://developer.hashicorp.com/vault/api-docs/auth/approle */
import { randomUUID } from 'node:crypto';
import { type Body, data, empty, errors, missing, type Reply, toList, toSeconds } from './reply.ts';
import { type createTokens, login } from './tokens.ts';

type Role = {
  roleId: string;
  policies: string[];
  ttl: number;
  maxTtl: number;
  secretIdTtl: number;
  secretIdUses: number;
  secretIds: Map<string, { expiresAt: number; usesLeft: number }>;
};

export const createAppRole = (tokens: ReturnType<typeof createTokens>) => {
  const roles = new Map<string, Role>();

  const putRole = (name: string, body: Body): Reply => {
    roles.set(name, {
      roleId: roles.get(name)?.roleId ?? randomUUID(),
      policies: toList(body.token_policies ?? body.policies),
      ttl: toSeconds(body.token_ttl) || 2_764_800,
      maxTtl: toSeconds(body.token_max_ttl),
      secretIdTtl: toSeconds(body.secret_id_ttl),
      secretIdUses: Number(body.secret_id_num_uses ?? 0),
      secretIds: roles.get(name)?.secretIds ?? new Map(),
    });
    return empty;
  };

  const newSecretId = (role: Role): Reply => {
    const { secretIdTtl, secretIdUses } = role;
    const secretId = randomUUID();
    role.secretIds.set(secretId, {
      expiresAt: secretIdTtl > 0 ? Date.now() + secretIdTtl * 1000 : Number.POSITIVE_INFINITY,
      usesLeft: secretIdUses > 0 ? secretIdUses : Number.POSITIVE_INFINITY,
    });
    const rest = { secret_id_ttl: secretIdTtl, secret_id_num_uses: secretIdUses };
    return data({ secret_id: secretId, secret_id_accessor: randomUUID(), ...rest });
  };

  const logIn = (body: Body): Reply => {
    if (typeof body.role_id !== 'string' || body.role_id === '') return errors(400, 'missing role_id');
    const role = [...roles.values()].find(({ roleId }) => roleId === body.role_id);
    if (role === undefined) return errors(400, 'invalid role or secret ID');
    if (typeof body.secret_id !== 'string' || body.secret_id === '') return errors(400, 'missing secret_id');
    const secret = role.secretIds.get(body.secret_id);
    if (secret === undefined || secret.expiresAt <= Date.now()) return errors(400, 'invalid role or secret ID');
    secret.usesLeft -= 1;
    if (secret.usesLeft <= 0) role.secretIds.delete(body.secret_id);
    return login(tokens.add({ policies: [...role.policies, 'default'], ttl: role.ttl, maxTtl: role.maxTtl }));
  };

  return {
    logIn,
    /** @param path below the mount */
    handle(method: string, path: string, body: Body): Reply {
      const [kind, name = '', member] = path.split('/');
      if (kind !== 'role' || name === '') return errors(404, `no handler for route "auth/approle/${path}"`);
      if (method === 'POST' && member === undefined) return putRole(name, body);
      const role = roles.get(name);
      if (role === undefined) return missing;
      if (method === 'GET' && member === 'role-id') return data({ role_id: role.roleId });
      if (method === 'POST' && member === 'secret-id') return newSecretId(role);
      return errors(405, 'unsupported operation');
    },
  };
};
