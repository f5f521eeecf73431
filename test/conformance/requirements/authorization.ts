import { standardDocument } from './document.ts';

/** OAuth itself: the framework, its security practice, PKCE and the issuer in the answer. */
export const oauthDocuments = [
  standardDocument(
    'O21',
    'OAuth 2.1',
    'https://datatracker.ietf.org/doc/draft-ietf-oauth-v2-1/',
    `
01 | M | MUST | 1.4 | Access tokens cannot be forged, altered or guessed.
02 | M | MUST | 1.4.1, 3.2.3 | The answer names the scope when it is not the one asked for.
03 | M | MUST | 1.4.1 | Without \`scope\` a default applies, or the request is refused.
04 | M | MUST | 1.5 | Protocol URLs are https, loopback redirects aside.
05 | M | MUST | 2.2 | A client id alone authenticates nobody.
06 | M | MUST | 2.3 | A redirect URI is absolute and has no fragment.
07 | M | MUST | 2.3 | The query of a redirect URI survives our parameters.
08 | M | MUST | 2.3.1 | Clients register whole redirect URIs.
09 | M | MUST | 2.3.1, 4.1.1 | An unregistered redirect URI is refused, by string comparison.
10 | M | MUST | 8.4.2 | A loopback redirect may use any port.
11 | M | SHOULD | 2.3.1 | A private-use scheme without a dot is refused.
12 | M | MUST NOT | 2.3.5, 4.1.2.1 | With a bad client or redirect URI nobody is redirected; the person is told.
13 | M | MUST | 2.4, 3.2.4 | One way of authenticating in a request.
14 | M | MUST | 2.4.1 | A secret may be sent in the body.
15 | M | MUST NOT | 2.4.1 | Credentials in the URI are not read.
16 | M | MUST | 2.4.1 | Guessing secrets is limited.
17 | M | MUST | 2.4 | The audience of a client assertion is our issuer.
18 | M | MUST | 3.1 | The person is authenticated first.
19 | M | MUST | 3.1 | The authorization endpoint takes GET.
20 | M | MUST | 3.1, 3.2 | Unknown parameters are ignored.
21 | M | MUST | 3.1, 3.2, 3.2.4 | A parameter given twice is refused.
22 | M | MUST | 3.1, 3.2 | An empty parameter is an absent one.
23 | M | MUST NOT | 3.1 | No CORS at the authorization endpoint.
24 | M | MUST | 3.2 | The token endpoint takes POST alone.
25 | M | MUST | 3.2.1, 3.2.2 | Confidential clients authenticate at the token endpoint.
26 | M | MUST | 3.2.2 | Credentials that are sent are checked, needed or not.
27 | M | MUST | 3.2.3 | Success is 200 with JSON, the token, its type and its lifetime.
28 | M | MUST | 3.2.3 | Whatever holds a token or secret is not cached.
29 | M | MUST | 3.2.3 | A refresh token is bound to the consented scope and resource.
30 | M | MUST | 3.2.4 | Errors are 400 with JSON, in a limited alphabet.
31 | M | MUST | 3.2.4 | Failed Basic authentication is 401 with a challenge.
32 | M | MUST | 3.2.4 | An unknown grant type and one the client may not use are told apart.
33 | M | MUST | 4.1.1, 4.1.2.1 | A missing or unknown \`response_type\` is an error to the client.
34 | M | MUST NOT | 10 | Implicit and password grants do not exist.
35 | M | MUST | 4.1.2, 4.1.2.1 | \`state\` comes back unchanged, with errors too.
36 | M | MUST | 4.1.2 | A code expires soon.
37 | M | MUST NOT | 4.1.2 | The challenge cannot be read from the code.
38 | M | MUST | 4.1.3 | A code is good for one token.
39 | M | SHOULD | 4.1.3 | The replay of a code ends what it produced.
40 | M | MUST | 4.1.1 | S256 is supported.
41 | M | MUST | 4.1.2.1 | A public client without challenge is refused where it asks.
42 | M | MUST | 4.1.2.1 | An unknown challenge method is refused.
43 | M | MUST | 4.1.3 | The verifier is demanded when a challenge was sent.
44 | M | MUST | 4.1.3 | A wrong verifier is refused.
45 | M | MUST | 4.1.3, 3.2.4 | A verifier without a challenge is refused.
46 | M | MUST | 4.1.3 | A code belongs to the client it was made for.
47 | M | MUST | 10.2 | \`redirect_uri\` in the token request must match when it is sent.
48 | M | MUST | 4.2, 4.2.1 | Client credentials are for confidential clients.
49 | M | MUST | 4.3, 4.3.1 | A refresh token belongs to its client.
50 | M | MUST | 4.3.1 | A refresh does not widen the scope.
51 | M | MUST | 4.3.1 | The grant behind a refresh token must still stand.
52 | M | MUST | 4.3.1 | Replay of a public client's refresh token is found.
53 | M | MUST | 4.3.3 | The new refresh token keeps the scope of the old one.
54 | M | SHOULD | 4.3.3 | Idle refresh tokens expire.
55 | M | MUST NOT | 7.5.3 | A form with credentials is not answered with 307.
56 | M | MUST | 7.7 | Tokens and codes have at least 128 bits that cannot be guessed.
57 | M | SHOULD | 7.9 | Consent shows the client's name, where it comes from, and the scopes.
58 | M | SHOULD | 7.9 | People and administrators see grants and revoke them.
59 | M | MUST | 7.10 | A client can learn the challenge methods.
60 | M | MUST | 7.11 | Login and consent cannot be framed.
61 | M | MUST | 7.12 | \`state\` and \`redirect_uri\` are treated as hostile.
62 | M | MUST | 7.13.2 | We are no open redirector.
63 | M | MUST NOT | 8.1 | Native apps need no shared secret.
64 | M | MUST | 8.1.1 | The type of a client is recorded.
65 | M | SHOULD NOT | 7.3, 7.3.1 | A client that cannot prove itself is not approved without asking.
66 | M | SHOULD NOT | 7.4 | A client is not taken for a person.
67 | M | SHOULD | 7.1.3.6, 7.1.4 | Access tokens are for an audience.
68 | M | SHOULD | 1.4.3 | Sender-constrained tokens are offered.
69 | M | SHOULD NOT | 7.5.2 | A replay that could not succeed ends nothing.
`,
  ),
  standardDocument(
    'R6749',
    'RFC 6749, OAuth 2.0, where 2.1 is silent',
    'https://www.rfc-editor.org/rfc/rfc6749',
    `
01 | M | MUST | 2.3.1 | HTTP Basic works, both halves form-encoded.
02 | M | MUST | 5.1 | Token answers are JSON and not to be cached.
03 | M | MUST | 4.1.3 | The redirect URI of the authorization request is repeated at the token endpoint.
04 | M | SHOULD | 4.1.2.1 | A refusal by the person, and a fault of ours, reach the client by redirect.
05 | M | SHOULD NOT | 4.4.3 | A machine gets no refresh token.
06 | M | MUST | 3.3 | Scopes keep to their alphabet and are case-sensitive.
07 | M | MUST | 10.12 | Our own forms cannot be posted by other sites.
08 | M | MUST | 10.5 | A code is worth nothing to another client.
`,
  ),
  standardDocument(
    'R6750',
    'RFC 6750, bearer tokens',
    'https://www.rfc-editor.org/rfc/rfc6750',
    `
01 | M | MUST | 3 | A missing or bad token is answered with a Bearer challenge.
02 | M | SHOULD | 3.1 | The error and its status say what is wrong with the token.
03 | M | SHOULD NOT | 3.1 | Who sent no token is told of no error.
04 | M | MUST | 2 | A token is sent in one way only.
05 | M | SHOULD | 4 | The type of a plain token is Bearer.
`,
  ),
  standardDocument(
    'R7636',
    'RFC 7636, PKCE',
    'https://www.rfc-editor.org/rfc/rfc7636',
    `
01 | M | MUST | 4.1 | A verifier has 43 to 128 unreserved characters.
02 | M | MUST | 4.2, B | S256 is the unpadded base64url of the SHA-256 of the verifier.
03 | M | MUST | 4.4.1 | A missing challenge is refused where the client asks.
04 | M | MUST | 4.4.1 | An unknown transformation is refused.
05 | M | MUST | 4.6 | A verifier that does not fit is \`invalid_grant\`.
06 | M | MUST | 4.3 | Without a method plain is meant, which we refuse.
07 | M | MUST | 4.2 | A malformed challenge is refused.
`,
  ),
  standardDocument(
    'R9207',
    'RFC 9207, issuer identification',
    'https://www.rfc-editor.org/rfc/rfc9207',
    `
01 | S | MUST | 2 | Every authorization response carries \`iss\`.
02 | S | MUST | 2 | \`iss\` is a URL without query or fragment, the metadata's issuer.
03 | m | MUST | 2.3, 3 | The metadata says that \`iss\` is sent.
04 | - | MUST | 2.4 | A response that is a JWT has it as a claim.
`,
  ),
  standardDocument(
    'R9700',
    'RFC 9700, security best current practice',
    'https://www.rfc-editor.org/rfc/rfc9700',
    `
01 | M | MUST | 2.1, 4.1.3 | Redirect URIs are compared as strings, loopback ports aside.
02 | M | MUST | 2.1.1, 4.8.2 | PKCE is enforced and cannot be stripped off.
03 | M | MUST NOT | 2.4 | There is no password grant.
04 | M | MUST | 4.2.4 | A code is dead after its first use.
05 | M | MUST NOT | 2.6 | No plain http redirect except loopback.
06 | M | MUST NOT | 2.6 | No CORS at the authorization endpoint.
07 | M | MUST NOT | 4.12 | Credentials are not redirected with 307.
08 | M | SHOULD NOT | 4.2.4 | Our pages load nothing from elsewhere.
09 | M | SHOULD | 4.2.4 | Our pages send no referrer.
10 | M | MUST | 2.2.2, 4.14.2 | Refresh tokens of public clients rotate, bound to what was consented to.
11 | M | SHOULD | 4.14.2 | Refresh tokens end with a new password or a forced sign-out.
12 | M | MUST | 4.13 | Headers of a proxy are believed from trusted proxies alone.
13 | M | MUST | 4.16 | A content security policy forbids framing.
14 | M | MUST NOT | 4.17.2 | No answer is posted to any window that asks.
15 | M | SHOULD | 2.6 | The metadata is published.
`,
  ),
] as const;
