import { claimedAs } from './claims.ts';

/**
 * The attacks this server is tested against, from outside and over HTTP, with two pods where they would share something.
 * A test that runs one names it, as `[threat A02]`; `threat-exceptions.ts` says why where none can.
 */
export type Threat = { id: string; title: string };
export type ThreatGroup = { title: string; threats: readonly Threat[] };

const group = (title: string, table: string): ThreatGroup => ({
  title,
  threats: table
    .trim()
    .split('\n')
    .map((line) => {
      const [, id, text] = /^\s*([A-N]\d\d) (\S.*)$/.exec(line) ?? [];
      if (!id || !text) throw new Error(`no attack: ${line}`);
      return { id, title: text };
    }),
});

export const threatGroups: readonly ThreatGroup[] = [
  group(
    'Authorization codes',
    `
    A01 a code used again
    A02 a code raced over pods
    A03 the code of another client
    A04 another redirect URI at the token endpoint
    A05 no PKCE, or plain
    A06 the verifier left out
    A07 PKCE taken out of the request
    A09 guessing the verifier
    A10 a code after the world has changed
    A11 implicit, hybrid and odd response modes`,
  ),
  group(
    'Redirect URIs',
    `
    B01 an address nobody registered
    B06 a query or fragment added
    B08 loopback addresses and what looks like them
    B11 errors sent to an attacker
    B12 a registered client that only bounces people
    B14 a redirect that repeats the form`,
  ),
  group(
    'Parameters, client authentication, metadata',
    `
    C01 parameters given twice
    C02 credentials in the address
    C03 two identities in one request
    C04 a weaker way to authenticate
    C08 mix-up of servers
    C09 host and proxy headers
    C10 finding out client ids
    C11 a client that poses as a user
    C12 request objects from elsewhere
    C13 answers kept, sniffed or reflected`,
  ),
  group(
    'Refresh tokens',
    `
    D01 reuse after rotation
    D02 honest clients racing over pods
    D03 a thief within the window
    D04 raising the dead within the window
    D05 widening on refresh
    D06 the refresh token of another client
    D07 a refresh after the world has changed
    D08 lifetimes without end
    D09 reuse after a restart
    D12 an answer that was lost`,
  ),
  group(
    'DPoP',
    `
    E01 a proof used again
    E02 a proof from the future
    E03 using up the jti of somebody else
    E04 a proof for another place or method
    E06 missing, stale and made-up nonces
    E07 a code bound to another key
    E08 a bound token without its key
    E09 a refresh with another key
    E10 asking about a bound token
    E11 filling the replay store`,
  ),
  group(
    'Tokens and keys',
    `
    F07 a token that resembles a good one
    F08 encrypted and compressed bombs
    F09 the key set during a rotation
    F10 tokens of another issuer`,
  ),
  group(
    'Registration, metadata documents, outbound requests',
    `
    G01 privileges asked for at registration
    G02 metadata of no shape
    G03 addresses that lead inside
    G08 making this server fetch without end
    G09 a document that lies
    G10 a document that changes after consent
    G11 a flood of registrations
    G12 the registration of another client
    G13 around the mode, or the count of a token`,
  ),
  group(
    'Login, consent, sessions, devices',
    `
    H01 a consent sent by another site
    H02 a consent form with more in it
    H03 the pending request of somebody else
    H04 a consent used for something new
    H05 pages in frames, and what they load
    H07 a login or session that was planted
    H08 guessing passwords over pods
    H09 finding out user names
    H10 passwords made to be costly
    H11 the way back from an upstream login
    H12 skipping the second factor
    H13 guessing and stealing device codes
    H14 cookies, and what a logout leaves`,
  ),
  group(
    'Introspection, revocation, exchange, assertions',
    `
    I01 asking about tokens of others
    I02 a dead token called active
    I03 introspection as an oracle
    I04 revoking tokens of others
    I05 a revocation that could not be stored
    I06 exchange: more scope than before
    I07 exchange: another audience
    I08 exchange: the token of somebody else
    I09 exchange: a dead or foreign token
    I11 exchange: chains and crowds without end
    I13 assertions of identity providers misused
    I14 client assertions misused`,
  ),
  group(
    'Admin API',
    `
    K01 a route without a check
    K02 the admin API on the public port
    K03 guessing the admin key
    K04 members that are not the caller's to set
    K05 more than the role allows
    K06 secrets in answers
    K08 changes that meet, and repeated ones
    K11 dangerous verbs`,
  ),
  group(
    'Parsers, limits, logs, browsers',
    `
    L01 bodies that are too large, too deep or endless
    L02 clients that are slow on purpose
    L03 long addresses and headers
    L07 secrets in what is written down
    L09 requests smuggled behind others
    L10 around the limits
    L11 calls from other origins`,
  ),
  group(
    'Faults',
    `
    M01 PostgreSQL gone
    M02 a failure between the consume and the answer
    M03 PostgreSQL slow
    M04 Redis gone
    M06 NATS gone or partitioned
    M07 NATS spoofing and replay
    M09 a rotation that is cut off
    M10 Vault gone or slow
    M12 Drain and scale
    M13 Keys changed under load
    M15 Admin plane gone`,
  ),
];

export const threats: ReadonlyMap<string, Threat> = new Map(
  threatGroups.flatMap((one) => one.threats.map((threat) => [threat.id, threat] as const)),
);

/** The ids of attacks in the names of the tests of a file: `[threat E04]`, `[CIMD-18 threat G03]`, `[threat C03 C04]`. */
export const threatsIn = (text: string): string[] =>
  claimedAs(text)
    .filter((list) => /\bthreats?\b/.test(list))
    .flatMap((list) => list.split(/[\s,]+/))
    .filter((id) => /^[A-N]\d+$/.test(id));
