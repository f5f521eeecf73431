import { standardDocument } from './document.ts';

/** How clients register, prove themselves, and hand in their requests. */
export const clientDocuments = [
  standardDocument(
    'R7523',
    'RFC 7521 and 7523 with rfc7523bis, JWTs as credentials',
    'https://www.rfc-editor.org/rfc/rfc7523',
    `
01 | - | MUST | 2.2 | The assertion type is the one of the RFC, with one JWT.
02 | - | MUST | 3 | \`iss\` and \`sub\` are the client id.
03 | - | MUST | 3 | \`exp\` is there and in the future.
04 | - | MUST | 3 | \`nbf\` in the future is refused.
05 | - | MUST | 3 | The signature is the client's, by an algorithm it may use.
06 | - | SHOULD | 3 | A \`jti\` counts once.
07 | - | MUST | 7521 4.2 | A \`client_id\` that is sent equals \`sub\`.
08 | - | MUST | 3.2 | A failure is \`invalid_client\`.
09 | - | MUST | 3.1 | As a grant, a bad assertion is \`invalid_grant\`.
10 | - | MUST | 3.1 | As a grant, client authentication that is sent is checked.
11 | - | MUST | 3 | An unknown \`kid\` makes us look at the keys once more.
20 | - | MUST | bis 4 | The audience is our issuer and nothing else.
21 | - | SHOULD | bis 4 | The types of the draft and of older clients are taken.
22 | - | MUST | bis 5 | The same audience rule holds for pushed requests.
`,
  ),
  standardDocument(
    'R7591',
    'RFC 7591, dynamic client registration',
    'https://www.rfc-editor.org/rfc/rfc7591',
    `
01 | m | MUST | 3 | Registration takes JSON by POST.
02 | m | SHOULD | 3 | In open mode no token is needed.
03 | m | MUST | 3.2.1 | The answer is 201 with an id, and a secret comes with its expiry.
04 | m | MUST | 3.2.1 | All that was registered comes back, our defaults included.
05 | m | MUST | 2 | Unknown metadata is ignored.
06 | m | MUST | 2, 5 | A client that is redirected to registers where.
07 | m | MUST | 5 | Redirect URIs are https, loopback or of a private scheme.
08 | m | SHOULD | 2.1 | Grant and response types must fit each other.
09 | m | MUST NOT | 2 | Keys come by value or by reference, not both.
10 | m | MUST | 3.2.2 | Errors are 400, JSON, and of the RFC's codes.
11 | m | MUST | 2.3, 3.1.1 | A software statement is verified, and its values win.
12 | m | MUST | 3.2.1 | Every client has its own secret.
13 | m | MUST | 5 | What a client says of itself is shown as such.
14 | m | SHOULD | 5 | The links of a client are checked against its redirect URIs.
15 | m | SHOULD | 3.2.1 | The answer is not cached.
16 | m | MUST | 2 | Without a method client_secret_basic is meant.
17 | m | MUST | 2 | Without grant types authorization_code is meant, without response types code.
18 | m | MUST | 3 | A bad initial access token is 401.
`,
  ),
  standardDocument(
    'R7592',
    'RFC 7592, client configuration endpoint',
    'https://www.rfc-editor.org/rfc/rfc7592',
    `
01 | - | MUST | 3 | Registration answers with an address and a token to manage it.
02 | - | MUST | 2.1 | GET shows the registration, and the id stays.
03 | - | MUST | 2.2 | PUT replaces everything: what is left out is gone.
04 | - | MUST | 2.2 | PUT repeats id and secret, and they must be right.
05 | - | MUST NOT | 2.2 | A client does not choose its secret.
06 | - | MUST NOT | 2.2 | PUT does not carry what only we set.
07 | - | MUST | 2.3 | DELETE is 204 and ends the client.
08 | - | MUST | 2.1, 2.3 | A bad token or an unknown client is 401.
09 | - | MUST | 2 | Another method is 405.
10 | - | SHOULD | 2.3 | Deleting ends grants and tokens.
`,
  ),
  standardDocument(
    'R8628',
    'RFC 8628, device authorization grant',
    'https://www.rfc-editor.org/rfc/rfc8628',
    `
01 | - | MUST | 3.2 | The answer has both codes, the address, the lifetime and the interval.
02 | - | MUST | 4 | The metadata names the endpoint.
03 | - | MUST | 3.1 | Clients authenticate as at the token endpoint.
04 | - | MUST | 3.5 | Polling says authorization_pending until somebody decides.
05 | - | MUST | 3.5 | Polling too fast is slow_down, and the interval grows.
06 | - | MUST | 3.5 | A refusal and an expiry are told.
07 | - | MUST | 3.4, 5.2 | A device code works once and for its client.
08 | - | SHOULD | 5.1 | Guessing user codes is limited.
09 | - | SHOULD | 3.3.1, 5.4 | The person sees the client and confirms, also with the complete address.
10 | - | SHOULD | 3.2 | The answer is not cached.
`,
  ),
  standardDocument(
    'R9101',
    'RFC 9101, JWT-secured authorization request',
    'https://www.rfc-editor.org/rfc/rfc9101',
    `
09 | - | SHOULD | 7 | Request objects we do not take are refused by name.
`,
  ),
  standardDocument(
    'R9126',
    'RFC 9126, pushed authorization requests',
    'https://www.rfc-editor.org/rfc/rfc9126',
    `
01 | - | MUST | 2.2 | The answer is 201 with the request URI and its lifetime.
02 | - | MUST | 2.1 | The client authenticates as at the token endpoint.
03 | - | MUST | 2.1 | A request URI cannot be pushed.
04 | - | MUST | 2.1 | The request is validated as at the authorization endpoint.
05 | - | MUST | 2.2, 7.1 | A request URI cannot be guessed, and belongs to its client.
06 | - | SHOULD | 4, 7.3 | It works once, and not for long.
07 | - | MUST | 2 | The audiences the RFC names are taken for client assertions.
08 | - | MUST | 2.3 | GET is 405; too much or too often has its status.
09 | - | MUST | 5, 6 | Where pushing is required, a plain request is refused.
10 | - | SHOULD | 2, 5 | The metadata names the endpoint.
11 | - | MUST | 7.2 | Only an authenticated client could push a new redirect URI.
`,
  ),
] as const;
