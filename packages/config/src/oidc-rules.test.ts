import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from './load.ts';
import { ConfigError } from './problems.ts';

const good = {
  AUTHPLANE_OIDC_ENABLED: 'true',
  AUTHPLANE_OIDC_ISSUER: 'https://idp.example.com/realms/staff',
  AUTHPLANE_OIDC_CLIENT_ID: 'authserver',
  AUTHPLANE_OIDC_CLIENT_SECRET: 'a secret of the provider',
};
const problemKeys = (env: Record<string, string>): string[] => {
  try {
    loadConfig({ env: { ...good, ...env } });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    assert.doesNotMatch(error.message, /a secret of the provider/);
    return error.problems.map(({ key }) => key);
  }
};

const cases: [env: Record<string, string>, broken: string[]][] = [
  [{}, []],
  [{ AUTHPLANE_OIDC_ISSUER: 'https://idp.example.com/' }, []],
  [{ AUTHPLANE_OIDC_ISSUER: 'http://localhost:5556/dex' }, []],
  [{ AUTHPLANE_OIDC_ISSUER: 'http://idp.example.com' }, ['oidc.issuer']],
  [{ AUTHPLANE_OIDC_ISSUER: 'https://idp.example.com?tenant=1' }, ['oidc.issuer']],
  [{ AUTHPLANE_OIDC_ISSUER: 'http://localhost:9000' }, ['oidc.issuer']],
  [{ AUTHPLANE_OIDC_ISSUER: '', AUTHPLANE_OIDC_CLIENT_ID: '' }, ['oidc.issuer', 'oidc.client_id']],
  [{ AUTHPLANE_OIDC_CLIENT_SECRET: '' }, ['oidc.client_secret']],
  [{ AUTHPLANE_OIDC_CLIENT_SECRET_REF: 'CONNECTOR_IDP', CONNECTOR_IDP: 'x' }, ['oidc.client_secret_ref']],
  [{ AUTHPLANE_OIDC_CLIENT_SECRET: '', AUTHPLANE_OIDC_CLIENT_SECRET_REF: 'CONNECTOR_IDP' }, ['oidc.client_secret_ref']],
  [{ AUTHPLANE_OIDC_REDIRECT_URI: 'http://localhost:9000/oidc/callback' }, []],
  [{ AUTHPLANE_OIDC_REDIRECT_URI: 'https://elsewhere.example/oidc/callback' }, ['oidc.redirect_uri']],
  [{ AUTHPLANE_OIDC_SCOPES: 'email,profile' }, ['oidc.scopes']],
  [{ AUTHPLANE_SESSION_SAME_SITE: 'strict' }, ['session.same_site']],
  [{ AUTHPLANE_OIDC_SCOPES: 'openid email' }, ['oidc.scopes']],
  [{ AUTHPLANE_OIDC_ENABLED: 'false', AUTHPLANE_OIDC_ISSUER: '', AUTHPLANE_OIDC_SCOPES: 'email' }, []],
];
for (const [env, broken] of cases)
  test(`${JSON.stringify(env)} is ${broken.length === 0 ? 'fine' : `refused for ${broken.join(', ')}`}`, () => {
    assert.deepEqual(problemKeys(env), broken);
  });

test('the secret that a variable or a file holds is the client secret', () => {
  const { AUTHPLANE_OIDC_CLIENT_SECRET: _, ...rest } = good;
  const env = { ...rest, AUTHPLANE_OIDC_CLIENT_SECRET_REF: 'CONNECTOR_IDP' };
  assert.equal(loadConfig({ env: { ...env, CONNECTOR_IDP: 'by variable' } }).config.oidc.client_secret, 'by variable');
  const file = join(mkdtempSync(join(tmpdir(), 'oidc-')), 'secret');
  writeFileSync(file, 'by file\n');
  assert.equal(loadConfig({ env: { ...env, CONNECTOR_IDP_FILE: file } }).config.oidc.client_secret, 'by file');
});

test('a server that nobody can sign in at says so', () => {
  const { warnings } = loadConfig({ env: { AUTHPLANE_OIDC_SHOW_LOCAL_LOGIN: 'false' } });
  assert.ok(warnings.some((warning) => warning.includes('nobody can sign in')));
});
