import { standardDocument } from './document.ts';

/** The MCP authorization specification, the documents it is made of, and its extensions. */
export const mcpDocuments = [
  standardDocument(
    'MCP',
    'MCP authorization, revision 2026-07-28',
    'https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization',
    `
01 | M | MUST | Overview | Serves public and confidential clients as an OAuth 2.1 authorization server.
02 | S | SHOULD | Overview | A client may be named by the URL of its metadata document.
03 | - | MAY | Overview | Clients may register themselves (kept for older clients).
04 | M | MUST | Overview | Publishes RFC 8414 metadata or OpenID Connect discovery.
05 | M | MUST | Metadata discovery | \`issuer\` in the document is, byte for byte, the issuer its URL was made from.
06 | M | MUST | Metadata discovery | An issuer with a path has its document where the well-known part goes before the path.
07 | M | MUST | Metadata discovery | The well-known suffix is that of RFC 8414, not one of MCP's own.
08 | M | MUST | Authorization code protection | Every form of the metadata names S256 as challenge method.
09 | S | SHOULD | Response validation | Authorization responses carry \`iss\`, errors included.
10 | m | MUST | Response validation | The metadata says that \`iss\` is sent, and it always is.
11 | M | MUST | Response validation | \`iss\` is the metadata's \`issuer\`, byte for byte.
12 | M | MUST | Authorization code protection | PKCE with S256 is checked from challenge to verifier.
13 | M | MUST | Resource parameter | \`resource\` is understood at the authorization and the token endpoint.
14 | S | SHOULD | Canonical server URI | Scheme and host of a resource are compared without regard to case.
15 | S | SHOULD | Canonical server URI | A resource without a path is found with and without the final slash.
16 | M | MUST | Open redirection | A redirect URI is compared exactly with the registered ones.
17 | M | MUST | Open redirection | Nobody is sent to a URI that is not trusted.
18 | S | SHOULD | Open redirection | Without a trusted redirect URI nothing redirects by itself.
19 | M | MUST | Communication security | Every endpoint is https, loopback development aside.
20 | M | MUST | Communication security | Redirect URIs are https or loopback.
21 | M | MUST | Token theft | Refresh tokens of public clients are rotated.
22 | S | SHOULD | Token theft | Access tokens are short-lived.
23 | M | MUST | Security considerations | The security considerations of OAuth 2.1 are followed.
24 | m | MUST | Localhost redirect URIs | The host the code goes to is shown before consent.
25 | S | SHOULD | Localhost redirect URIs | A client with nothing but localhost redirects is warned about.
26 | m | SHOULD | Server abuse | Fetching client documents cannot be turned against internal hosts.
27 | m | MUST | Client ID metadata | \`client_id\` inside the document is its own URL.
28 | m | MUST | Client ID metadata | The redirect URI of a request is one of the document's.
29 | m | MUST | Client ID metadata | A document without its required members, or that is no JSON, is refused.
30 | m | SHOULD | Client ID metadata | A client id that is a URL is fetched.
31 | m | SHOULD | Client ID metadata | Documents are kept as long as their HTTP headers say.
32 | S | SHOULD | Advertising support | The metadata says that client id documents are understood.
33 | m | MUST | Application type | Registration takes \`application_type\`.
34 | m | SHOULD | Application type | A redirect URI that does not fit the type is refused with an error that helps.
35 | - | MAY | Refresh tokens | \`offline_access\` may be asked for without harm.
36 | M | MUST | Step-up | A later request may ask for the union of old and new scopes.
37 | M | MUST | Step-up | Where scopes form a hierarchy, it is heeded. Ours form none: no name implies another.
38 | M | MUST | Token requests | No access token is read from a query.
39 | M | MUST | Error handling | 401, 403 and 400 are told apart where a token is needed.
40 | m | MUST | Confused deputy | A broker asks for consent for each client before it goes upstream.
41 | m | MUST | Confused deputy | The broker's consent page names client, scopes and redirect, and cannot be forged or framed.
42 | m | MUST | Confused deputy | Broker consent cookies are bound to host and client.
43 | m | MUST | Confused deputy | Broker \`state\` is random, for one use, and made after consent.
44 | S | SHOULD | Scope minimization | Fewer scopes than asked for may be granted.
`,
  ),
  standardDocument(
    'M25',
    'MCP authorization, revision 2025-11-25, where older clients need it',
    'https://modelcontextprotocol.io/specification/2025-11-25/basic/authorization',
    `
01 | - | MAY | Client registration | Open registration needs no token.
02 | M | - | Flow steps | A client that ignores \`iss\` still gets through.
03 | M | MUST | Dynamic client registration | A loopback client may register without \`application_type\`.
04 | S | SHOULD | Scope selection | All scopes of a resource may be asked for, and the person chooses.
05 | S | SHOULD | 2025-03-26 fallback | Clients without resource metadata find endpoints at default paths. Ours on request, by oauth.fallback_paths.
`,
  ),
  standardDocument(
    'CIMD',
    'OAuth client ID metadata document',
    'https://datatracker.ietf.org/doc/draft-ietf-oauth-client-id-metadata-document/',
    `
01 | m | MUST | 3 | A client id URL is https with a path, without dot segments, fragment and user info.
02 | m | SHOULD NOT | 3 | A query in a client id URL is treated as documented.
03 | m | SHOULD | 4 | The document a client id names is fetched.
04 | m | MUST | 4 | Status 200 alone is success.
05 | m | MUST NOT | 4 | Redirects are not followed.
06 | m | MUST | 4.1 | \`client_id\` in the document equals the URL as a string.
07 | m | MUST NOT | 4.1 | A document does not choose an authentication method with a shared secret.
08 | m | MUST NOT | 4.1 | A document holds no client secret.
09 | - | MAY | 4.1 | Any JSON media type is taken.
10 | m | SHOULD | 4.3 | A document that cannot be had ends the request.
11 | m | SHOULD | 4.4 | HTTP cache headers are followed within our bounds.
12 | m | MUST NOT | 4.4 | Error answers are not kept.
13 | m | MUST NOT | 4.4 | Invalid documents are not kept.
14 | m | MUST | 4.5 | The redirect URI is one of the document's, exactly.
15 | m | MUST | 5 | The metadata says that such client ids are understood.
16 | m | MUST | 6.2 | A client with a key in its document proves itself with it.
17 | m | SHOULD | 6.4 | The host of the client id is shown to the person.
18 | m | MUST | 6.5 | Documents at special-use addresses are not fetched.
19 | m | SHOULD NOT | 6.5 | URLs inside a document do not lead to special-use addresses either.
20 | m | SHOULD | 6.6 | The size of a document is limited.
21 | m | SHOULD | 6.7 | A logo does not make the person's browser call the client's host.
22 | m | SHOULD | 6.9 | Client ids of our making do not begin with https.
23 | - | MAY | 6.1 | Redirect URIs may be bound to the origin of the client id.
`,
  ),
  standardDocument(
    'MCC',
    'MCP extension: OAuth client credentials',
    'https://github.com/modelcontextprotocol/ext-auth',
    `
01 | m | MUST | Server metadata | The metadata names client_secret_basic or private_key_jwt.
02 | m | MUST | Server metadata | With private_key_jwt the signing algorithms are named.
03 | m | MUST | Examples | An assertion is enough: \`client_id\` need not be in the body.
04 | m | MUST | Client authentication | A secret in the body is accepted.
05 | m | MUST | Examples | The token is for the \`resource\` asked for.
06 | m | MUST | Overview | Self-registration gives nobody a machine token.
`,
  ),
  standardDocument(
    'MDP',
    'MCP extension: DPoP',
    'https://github.com/modelcontextprotocol/ext-auth',
    `
01 | m | MUST | Server metadata | The proof algorithms are named, and none of them is symmetric.
02 | m | MUST | Client registration | A client registered for bound tokens gets none without a proof.
03 | m | MUST | Token requests | With a proof the token is bound to the key and its type is DPoP.
04 | m | SHOULD NOT | Proofs | A proof at the token endpoint needs no \`content_digest\`, and may have one.
`,
  ),
  standardDocument(
    'JAG',
    'Identity assertion JWT authorization grant (ID-JAG)',
    'https://datatracker.ietf.org/doc/draft-ietf-oauth-identity-assertion-authz-grant/',
    `
01 | m | MUST | 3.1 | The \`typ\` of an assertion is its own.
02 | m | MUST | 3.1 | Issuer, subject, audience, client, id, end and beginning are all there.
03 | m | MUST | 4.1 | Its issuer is one that operators trust.
04 | m | MUST | 4.4.1 | Its audience is this server and nothing else.
05 | m | MUST | 4.4.1 | It is for the client that sends it.
06 | m | MUST | 4.4.1 | The resource it names is the one the token is for.
07 | m | MUST | 4.4.1 | The scope it names bounds what is granted, and our policy does as well.
08 | m | MUST | 4.4.1 | Authorization details are parsed and counted.
09 | m | MUST | 4.4.1 | The answer says what was granted.
10 | m | SHOULD NOT | 4.4.3 | There is no refresh token.
11 | m | MUST | 7.2 | Where the metadata names the profile, it names the grant type.
12 | m | SHOULD | 7.2 | The metadata names the profile.
13 | m | MUST NOT | 8.4 | The metadata does not say who is trusted.
14 | m | SHOULD | 8.1 | A client without credentials is refused.
15 | m | MUST | 8.6.1.2.1 | An assertion for a key is used with a proof of that key.
16 | m | MUST | 8.6.1.2.2 | Without a proof it is \`invalid_grant\`.
17 | m | MUST | 8.6.1.2.3 | A proof beside a free assertion is checked all the same.
18 | m | MUST | 8.3 | An assertion of our own is not taken here.
19 | m | MUST | 4.3.3 | The subject token of an assertion is the asking client's own.
20 | m | MUST | 4.3.4 | The answer says by its types that the token is an assertion.
`,
  ),
  standardDocument(
    'EMA',
    'MCP extension: enterprise-managed authorization',
    'https://github.com/modelcontextprotocol/ext-auth',
    `
01 | m | MUST | 5.1 | The token is for the MCP server the assertion names.
02 | m | MUST | 7.2.1 | The token gets what request and assertion have in common.
03 | m | MUST | 7.4.1 | A key of that very identity provider signed the assertion.
04 | m | MUST | 7.4.1 | Algorithms come from a list, and \`none\` is not on it.
05 | m | MUST | 7.4.1 | Issuer, audience, subject and times are checked.
06 | m | MUST | 7.4.1 | Keys come over verified TLS, new ones are found, and old ones end.
07 | m | MUST | 7.4.2 | Outside its time an assertion is refused.
08 | m | MUST | 7.4.2 | An assertion is good once.
09 | m | MUST | 7.6.2 | Its audience equals our issuer.
10 | m | MUST | 7.6.2 | Its resource is registered here.
11 | m | SHOULD | 7.6.2 | Its scopes are scopes of that resource.
12 | m | MUST NOT | 7.3 | Neither assertions nor tokens travel in addresses.
13 | m | MUST NOT | 7.4.2 | An assertion is not logged.
14 | m | SHOULD | 7.5.1 | Guessing at the token endpoint is limited.
15 | m | SHOULD | 7.5.1 | Clients may prove themselves by a key instead of a secret.
16 | - | MAY | 5 | A client known by its metadata document may use the grant.
17 | m | MUST | 7.7 | The client authenticates.
18 | m | SHOULD | 7.5.4 | The token can be revoked.
`,
  ),
  standardDocument(
    'CHN',
    'Identity chaining across domains (draft)',
    'https://datatracker.ietf.org/doc/draft-ietf-oauth-identity-chaining/',
    `
01 | - | MUST | 3.3.2 | An audience or resource we give no grant for is refused as in token exchange.
02 | - | MUST | 3.3.3 | The audience of the grant is the authorization server of the other domain.
03 | - | MUST | 3.4.2 | A grant is checked as an assertion is, and says who its subject is.
04 | - | SHOULD NOT | 6.4 | No refresh token comes of a grant.
`,
  ),
] as const;
