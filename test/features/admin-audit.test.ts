import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entities } from '@authserver/admin-api';
import { nothing, traceOf } from '../support/admin-answers.ts';
import { startAuthServer } from '../support/auth-server.ts';
import { newProvider } from '../support/brokering.ts';

const server = await startAuthServer({ admin: true });
const { admin } = server;
const password = 'correct horse battery staple';
const web = { client_name: 'App', redirect_uris: ['https://app.example.com/cb'] };
const url = 'https://app.example.com/connected';
const client = async () => (await server.client({ authMethod: 'client_secret_basic' })).clientId;
const user = async () => (await server.user()).id;
const resource = async () => (await server.resource()).slug;
const brokerResource = async () => {
  const { id: broker_provider_id } = await newProvider(server);
  const slug = `up-${crypto.randomUUID().slice(0, 8)}`;
  return (await admin.resource.create({ body: { slug, backend_kind: 'broker', broker_provider_id } })).slug;
};

const issued = async () => {
  const app = await server.client();
  const person = await server.user();
  const { uri } = await server.resource();
  const { access_token } = await app.authorize({ user: person, resource: uri, scope: 'tools/read' });
  return { person, jti: JSON.parse(atob(String(access_token.split('.')[1]))).jti as string };
};

/**
 * Operations that change something: what each needs, then the request itself; and a request of the same kind that is
 * refused, which leaves no trace at all.
 */
type Operation = {
  ready: () => Promise<string>;
  work: (id: string) => Promise<unknown>;
  refused: [method: string, path: string, body?: unknown];
  /** False when the data plane reads it at every use, so that no pod needs to hear. */
  announced?: boolean;
};
const operations: Record<string, Operation> = {
  'client.create': {
    ready: async () => '',
    work: () => admin.client.create({ body: web }),
    refused: ['POST', '/admin/clients', { ...web, redirect_uris: ['x'] }],
  },
  'client.update': {
    ready: client,
    work: (id) => admin.client.update({ id, body: { client_name: 'New' } }),
    refused: ['PATCH', '/admin/clients/nobody', { client_name: 'New' }],
  },
  'client.delete': {
    ready: client,
    work: (id) => admin.client.delete({ id }),
    refused: ['DELETE', '/admin/clients/nobody?force=true'],
  },
  'client.rotateSecret': {
    ready: client,
    work: (id) => admin.client.rotateSecret({ id }),
    refused: ['POST', '/admin/clients/nobody/rotate-secret'],
  },
  'client.revokeSecret': {
    ready: async () => {
      const id = await client();
      await admin.client.rotateSecret({ id, body: { overlap: 60 } });
      return id;
    },
    work: async (id) => {
      const [old] = (await admin.client.get({ id })).secrets;
      await admin.client.revokeSecret({ id, secret_id: String(old?.id) });
    },
    refused: ['DELETE', '/admin/clients/nobody/secrets/none'],
  },
  'client.suspend': {
    ready: client,
    work: (id) => admin.client.suspend({ id }),
    refused: ['PATCH', '/admin/clients/nobody/suspend'],
  },
  'client.reactivate': {
    ready: async () => {
      const id = await client();
      await admin.client.suspend({ id });
      return id;
    },
    work: (id) => admin.client.reactivate({ id }),
    refused: ['PATCH', '/admin/clients/nobody/reactivate'],
  },
  'client.revoke': {
    ready: client,
    work: (id) => admin.client.revoke({ id }),
    refused: ['PATCH', '/admin/clients/nobody/revoke'],
  },
  'user.create': {
    ready: async () => `${crypto.randomUUID()}@example.com`,
    work: (email) => admin.user.create({ body: { email, password } }),
    refused: ['POST', '/admin/users', { email: 'x@example.com', password: 'short' }],
  },
  'user.update': {
    ready: user,
    work: (id) => admin.user.update({ id, body: { name: 'New' } }),
    refused: ['PATCH', '/admin/users/nobody', { name: 'New' }],
  },
  'user.delete': {
    ready: user,
    work: (id) => admin.user.delete({ id }),
    refused: ['DELETE', '/admin/users/nobody'],
  },
  'user.disable': {
    ready: user,
    work: (id) => admin.user.disable({ id }),
    refused: ['PATCH', '/admin/users/nobody/disable'],
  },
  'user.enable': {
    ready: async () => {
      const id = await user();
      await admin.user.disable({ id });
      return id;
    },
    work: (id) => admin.user.enable({ id }),
    refused: ['PATCH', '/admin/users/nobody/enable'],
  },
  'user.forceLogout': {
    ready: user,
    work: (id) => admin.user.forceLogout({ id }),
    refused: ['DELETE', '/admin/users/nobody/tokens'],
  },
  'resource.create': {
    ready: async () => `r-${crypto.randomUUID()}`,
    work: (slug) => admin.resource.create({ body: { slug } }),
    refused: ['POST', '/admin/resources', { slug: '?' }],
  },
  'resource.update': {
    ready: resource,
    work: (id) => admin.resource.update({ id, body: { display_name: 'New' } }),
    refused: ['PATCH', '/admin/resources/nobody', { display_name: 'New' }],
  },
  'resource.delete': {
    ready: resource,
    work: (id) => admin.resource.delete({ id }),
    refused: ['DELETE', '/admin/resources/nobody'],
  },
  'policy.addExchangeClient': {
    ready: resource,
    work: async (slug) => admin.policy.addExchangeClient({ slug, body: { client_id: known } }),
    refused: ['POST', '/admin/resources/nobody/policy/exchange/allowed-clients', { client_id: 'x' }],
  },
  'policy.removeExchangeClient': {
    ready: async () => {
      const slug = await resource();
      await admin.policy.addExchangeClient({ slug, body: { client_id: known } });
      return slug;
    },
    work: (slug) => admin.policy.removeExchangeClient({ slug, client_id: known }),
    refused: ['DELETE', '/admin/resources/nobody/policy/exchange/allowed-clients/x'],
  },
  'policy.addRuntimeClient': {
    ready: resource,
    work: (slug) => admin.policy.addRuntimeClient({ slug, body: { client_id: known } }),
    refused: ['POST', '/admin/resources/nobody/policy/runtime/client-ids', { client_id: 'x' }],
  },
  'policy.removeRuntimeClient': {
    ready: async () => (await server.resource({ runtimeClients: [known] })).slug,
    work: (slug) => admin.policy.removeRuntimeClient({ slug, client_id: known }),
    refused: ['DELETE', '/admin/resources/nobody/policy/runtime/client-ids/x'],
  },
  'policy.addReturnUrl': {
    ready: brokerResource,
    work: (slug) => admin.policy.addReturnUrl({ slug, body: { url } }),
    refused: ['POST', '/admin/resources/nobody/policy/connect/allowed-return-urls', { url }],
  },
  'policy.removeReturnUrl': {
    ready: async () => {
      const slug = await brokerResource();
      await admin.policy.addReturnUrl({ slug, body: { url } });
      return slug;
    },
    work: (slug) => admin.policy.removeReturnUrl({ slug, query: { url } }),
    refused: ['DELETE', `/admin/resources/nobody/policy/connect/allowed-return-urls?url=${url}`],
  },
  'grant.revokeConsent': {
    ready: async () => {
      const { person } = await issued();
      return String((await admin.grant.listUserGrants({ id: person.id })).consent_grants[0]?.id);
    },
    work: (id) => admin.grant.revokeConsent({ id }),
    refused: ['DELETE', `/admin/grants/consent/${'x'.repeat(257)}`],
  },
  'issuance.revoke': {
    ready: async () => (await issued()).jti,
    work: (id) => admin.issuance.revoke({ id }),
    refused: ['DELETE', `/admin/issuances/${'x'.repeat(257)}`],
  },
  'key.rotate': {
    ready: async () => '',
    work: () => admin.key.rotate({ body: { force: true } }),
    refused: ['POST', '/admin/keys/rotate', { force: 'yes' }],
  },
  'dcr.set': {
    ready: async () => '',
    work: () => admin.dcr.set({ body: { mode: 'admin_only' } }),
    refused: ['PATCH', '/admin/settings/dcr', { mode: 'x' }],
  },
  'initialAccessToken.create': {
    ready: async () => '',
    work: () => admin.initialAccessToken.create({ body: { label: 'Laptop' } }),
    refused: ['POST', '/admin/initial-access-tokens', { label: '' }],
    announced: false,
  },
  'initialAccessToken.delete': {
    ready: async () => (await admin.initialAccessToken.create({ body: { label: 'Laptop' } })).id,
    work: (id) => admin.initialAccessToken.delete({ id }),
    refused: ['DELETE', '/admin/initial-access-tokens/nobody'],
    announced: false,
  },
};
const known = await client();

for (const [name, operation] of Object.entries(operations)) {
  const [entity, verb] = name.split('.') as [keyof typeof entities, string];
  const { audit: action } = (entities[entity].operations as Record<string, { audit?: string | string[] }>)[verb] ?? {};

  test(`${name} leaves one audit event, and one change in the same transaction`, async () => {
    const id = await operation.ready();
    const { audit, changes } = await traceOf(server, () => operation.work(id));
    assert.equal(audit.length, 1, JSON.stringify(audit));
    const { announced = true } = operation;
    assert.equal(changes.length, announced ? 1 : 0, JSON.stringify(changes));
    const [event] = audit;
    assert.ok(event);
    assert.ok([action].flat().includes(event.action), event.action);
    assert.equal(event.actor_id, 'admin');
    assert.match(event.ip, /^(::ffff:)?127\.0\.0\.1$|^::1$/);
    const told = Object.keys(event.details);
    if (/create$/.test(verb)) assert.ok(told.includes('after') && !told.includes('before'), `${told}`);
    else if (/delete$/.test(verb)) assert.ok(told.includes('before') && !told.includes('after'), `${told}`);
    else if (!/rotateSecret|revokeSecret|forceLogout/.test(verb)) {
      assert.ok(told.includes('before') && told.includes('after'), `${told}`);
      assert.notDeepEqual(event.details.before, event.details.after);
    }
    if (!announced) return;
    const [together] = await server.sql(
      `select (select xmin::text from audit_events order by id desc limit 1) as event,
              (select xmin::text from changes order by version desc limit 1) as change`,
    );
    assert.equal(together?.event, together?.change);
  });

  test(`${name} refused leaves nothing`, async () => {
    const [method, path, body] = operation.refused;
    const trace = await traceOf(server, async () => {
      const { status } = await server.adminRequest(method, path, body);
      assert.ok(status >= 400 && status < 500, `${status}`);
    });
    assert.deepEqual(trace, nothing);
  });
}
