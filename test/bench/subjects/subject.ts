import type { Plan } from '../load/plan.ts';
import type { Server } from '../machine.ts';

/** What is measured, in this order. */
export const operations = [
  'client_credentials',
  'refresh_token',
  'authorization_code',
  'token_exchange',
  'jwt_bearer',
  'introspection',
  'metadata',
  'jwks',
] as const;
export type Operation = (typeof operations)[number];

/** A server under measurement, ready for every operation. */
export type Subject = {
  name: string;
  server: Server;
  port: number;
  /** Of what it can do. */
  plans: Partial<Record<Operation, Plan>>;
  /** Statements its processes have sent to PostgreSQL. */
  statements(): Promise<number>;
};

export type SubjectOptions = {
  dsn: string;
  /** For its files, and gone when everything is over. */
  directory: string;
  /** How many people are signed in, each with a browser and a refresh token: as many as there are connections. */
  people: number;
};

/** What the clients of all subjects are called and ask for, so that messages have the same size. */
export const redirectUri = 'http://localhost:3000/callback';
export const resource = 'http://localhost:3000/mcp';
export const behind = 'http://localhost:3000/behind';
export const scope = 'tools/read';
export const paths = {
  token: '/oauth/token',
  authorize: '/oauth/authorize',
  introspect: '/oauth/introspect',
  metadata: '/.well-known/oauth-authorization-server',
  jwks: '/.well-known/jwks.json',
};

/** RFC 7636 appendix B. */
export const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
export const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';

export const form = (params: Record<string, string>): string => new URLSearchParams(params).toString();

export const basic = ({ id, secret }: { id: string; secret: string }): string =>
  `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;

export const authorizePath = (clientId: string): string =>
  `${paths.authorize}?${form({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    state: 'af0ifjsldkj-af0ifjsldkj',
    scope,
    resource,
  })}`;

/** The plans of a server, from the credentials of its client and what its people hold. */
export const plansFor = (held: {
  clientId: string;
  authorization: string;
  cookies: readonly string[];
  refreshTokens: readonly string[];
  accessTokens: readonly string[];
  /** Tokens of people for the resource, where they can be exchanged for one behind it. */
  exchangeable?: readonly string[];
  /** An identity provider that is trusted, and what it says of everybody. */
  vouching?: Pick<Extract<Plan, { kind: 'assertions' }>, 'key' | 'claims'>;
}): Partial<Record<Operation, Plan>> => {
  const { authorization } = held;
  const post = (path: string, forms: readonly string[]): Plan => ({ kind: 'post', path, authorization, forms });
  return {
    client_credentials: post(paths.token, [form({ grant_type: 'client_credentials', scope, resource })]),
    refresh_token: post(
      paths.token,
      held.refreshTokens.map((token) => form({ grant_type: 'refresh_token', resource, refresh_token: token })),
    ),
    authorization_code: {
      kind: 'flow',
      authorize: authorizePath(held.clientId),
      cookies: held.cookies,
      token: paths.token,
      authorization,
      form: form({ grant_type: 'authorization_code', redirect_uri: redirectUri, code_verifier: verifier, resource }),
    },
    ...(held.exchangeable && {
      token_exchange: post(
        paths.token,
        held.exchangeable.map((token) =>
          form({
            grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
            subject_token: token,
            subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
            resource: behind,
          }),
        ),
      ),
    }),
    ...(held.vouching && {
      jwt_bearer: {
        kind: 'assertions',
        path: paths.token,
        authorization,
        form: form({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer' }),
        ...held.vouching,
      },
    }),
    introspection: {
      kind: 'post',
      path: paths.introspect,
      authorization,
      forms: held.accessTokens.map((token) => form({ token })),
      expected: '"active":true',
    },
    metadata: { kind: 'get', path: paths.metadata },
    jwks: { kind: 'get', path: paths.jwks },
  };
};

/** The public documents of a server, by path. */
export const documentsOf = async (port: number): Promise<Record<string, string>> => {
  const text = async (path: string) => (await fetch(`http://localhost:${port}${path}`)).text();
  return { [paths.metadata]: await text(paths.metadata), [paths.jwks]: await text(paths.jwks) };
};

/** Asks for a token, and hands over the answer. */
export const tokenFrom = async (
  port: number,
  authorization: string,
  params: Record<string, string>,
): Promise<{ access_token: string; refresh_token: string }> => {
  const response = await fetch(`http://localhost:${port}${paths.token}`, {
    method: 'POST',
    headers: { authorization },
    body: new URLSearchParams(params),
  });
  if (!response.ok) throw new Error(`no token at port ${port}: ${response.status} ${await response.text()}`);
  return (await response.json()) as { access_token: string; refresh_token: string };
};

/** The tokens of a person who has just come back with a code. */
export const redeem = (port: number, authorization: string, callback: URL) =>
  tokenFrom(port, authorization, {
    grant_type: 'authorization_code',
    code: callback.searchParams.get('code') ?? '',
    redirect_uri: redirectUri,
    code_verifier: verifier,
    resource,
  });

export const cookieHeader = (cookies: ReadonlyMap<string, string>): string =>
  [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
