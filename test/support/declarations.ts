/** One or more of every kind of object that can be declared, each with members that are not what they would be by default. */
export const everything = () => ({
  clients: [
    {
      client_id: 'web',
      client_name: 'Web app',
      redirect_uris: ['https://app.example.com/cb', 'https://app.example.com/other'],
      token_endpoint_auth_method: 'client_secret_post',
      scope: 'tools/read tools/write',
      refresh_token_policy: 'offline_access',
    },
    {
      client_id: 'gateway',
      client_name: 'Gateway',
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'client_secret_basic',
      scope: 'tools/read',
      agent: true,
      agent_description: 'Stands in front of the others',
    },
    { client_id: 'old', client_name: 'Old', redirect_uris: ['https://old.example.com/cb'], status: 'suspended' },
  ],
  users: [
    { email: 'Ada@Example.com', name: 'Ada', role: 'admin' },
    { email: 'bob@example.com', status: 'disabled' },
  ],
  providers: [
    {
      slug: 'github',
      display_name: 'GitHub',
      protocol: 'oauth',
      config_data: {
        client_id: 'abc',
        client_secret_ref: 'CONNECTOR_GITHUB_SECRET',
        authorize_url: 'https://github.com/login/oauth/authorize',
        token_url: 'https://github.com/login/oauth/access_token',
        response_format: 'form',
      },
    },
  ],
  resources: [
    {
      slug: 'docs',
      uri: 'https://docs.example.com/mcp',
      display_name: 'Documents',
      scopes: [{ name: 'tools/read', description: 'Read documents', default: true }, { name: 'tools/write' }],
      policy: { runtime: { client_ids: ['gateway'] } },
    },
    {
      slug: 'hidden',
      uri: 'https://hidden.example.com/mcp',
      scopes: [{ name: 'read' }],
      policy: { exchange: { budgets: [{ client_id: 'gateway', max_uses: 5, max_lifetime: 3600 }, { max_depth: 3 }] } },
    },
    {
      slug: 'repos',
      uri: 'https://repos.example.com/mcp',
      backend_kind: 'broker',
      broker_provider_slug: 'github',
      scopes: [{ name: 'repo', upstream: 'repo' }],
      policy: { connect: { allowed_return_urls: ['https://app.example.com/done'] } },
    },
  ],
  fronting_links: [{ source: 'docs', target: 'hidden', scope_map: { 'tools/read': ['read'] } }],
  idps: [
    { issuer: 'https://idp.example.com', name: 'Our IdP', jwks_uri: 'https://idp.example.com/keys' },
    { issuer: 'https://other.example.com', jwks_uri: 'https://other.example.com/keys', enabled: false },
  ],
  xaa_policies: [
    {
      idp: 'https://idp.example.com',
      name: 'Readers',
      priority: 10,
      client_ids: ['gateway'],
      scopes: ['tools/read'],
      resources: ['https://docs.example.com/mcp'],
    },
    { idp: 'https://idp.example.com', name: 'Others', scopes: [] },
  ],
  subject_mappings: [
    { idp: 'https://idp.example.com', idp_subject: 'ada', user: 'ada@example.com' },
    { idp: 'https://idp.example.com', idp_subject: 'nobody' },
  ],
});
