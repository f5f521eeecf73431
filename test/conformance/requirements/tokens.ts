import { standardDocument } from './document.ts';

/** What tokens are for, what is in them, who holds them, and how they end. */
export const tokenDocuments = [
  standardDocument(
    'R7009',
    'RFC 7009, token revocation',
    'https://www.rfc-editor.org/rfc/rfc7009',
    `
01 | - | MUST | 2 | Refresh tokens can be revoked, and access tokens.
02 | - | MUST | 2.1 | The hint is a hint: a wrong one finds the token.
03 | - | MUST | 2.1 | The client authenticates, and ends tokens of its own alone.
04 | - | MUST | 2.2 | An unknown or dead token is 200.
05 | - | SHOULD | 2.1 | A refresh token takes its access tokens along.
06 | - | MAY | 2.1 | An access token ends alone.
07 | - | MUST | 2.2.1 | A kind that cannot be revoked is unsupported_token_type.
08 | - | MUST | 2.1, 2.2.1 | No token is \`invalid_request\`.
09 | - | MUST | 2.1 | The effect is immediate.
10 | - | MUST | 2.1 | A public client revokes with its id alone.
`,
  ),
  standardDocument(
    'R7662',
    'RFC 7662, token introspection',
    'https://www.rfc-editor.org/rfc/rfc7662',
    `
01 | - | MUST | 2.1 | The hint is a hint: a wrong one finds the token.
02 | - | MUST | 2.1, 4 | The caller must be authorized.
03 | - | MUST | 2.2 | \`active\` is always there, a boolean.
04 | - | MUST | 2.2, 4 | Unknown, expired, revoked and foreign tokens are inactive.
05 | - | SHOULD NOT | 2.2, 4 | Nothing more is said of an inactive token.
06 | - | MUST | 4 | A token for one resource server is inactive for another.
07 | - | MUST | 4 | Signatures are checked.
08 | - | MUST | 2.3 | Bad authentication is 401.
09 | - | MUST | 9449 6.2 | A bound token shows its key, and its type is DPoP.
10 | - | SHOULD | 2.2 | What is known of an active token is told.
11 | - | MUST | 2.1, 2.3 | No token is \`invalid_request\`.
`,
  ),
  standardDocument(
    'R8693',
    'RFC 8693, token exchange',
    'https://www.rfc-editor.org/rfc/rfc8693',
    `
01 | - | MUST | 2.1 | A subject token and its type are required.
02 | - | MUST | 2.1 | An actor token and its type go together.
03 | - | MUST | 2.2.2 | A token that is expired, tampered with, revoked or foreign is \`invalid_request\`.
04 | - | SHOULD | 2.2.2 | An unknown resource or audience is \`invalid_target\`.
05 | - | MUST | 2.2.1 | The answer has the token, what kind of token it is, and its type.
06 | - | MUST | 2.2.1 | A scope that is not the one asked for is told.
07 | - | SHOULD | 2.2.1 | The lifetime is told.
08 | - | SHOULD NOT | 2.2.1 | No refresh token comes with it.
09 | - | MUST | 2.1 | A resource is an absolute URI without fragment; several may be named, audiences too.
10 | - | SHOULD | 4.1 | Who acts stands outermost in \`act\`, who acted before within.
11 | - | MUST NOT | 4.1 | Who acted before decides nothing.
12 | - | SHOULD | 4.4 | \`may_act\` says who may act.
13 | - | SHOULD | 5 | The client authenticates.
14 | - | MUST | 2.1 | A kind of token that cannot be issued is refused.
15 | - | MUST | 2.1, 3 | A type that is not that of the token is \`invalid_request\`.
16 | - | SHOULD | 1.1, 5 | The new token neither outlives nor outscopes the old.
`,
  ),
  standardDocument(
    'R8707',
    'RFC 8707, resource indicators',
    'https://www.rfc-editor.org/rfc/rfc8707',
    `
01 | M | MUST | 2 | A resource is an absolute URI without fragment.
02 | M | SHOULD | 2 | An unknown resource is \`invalid_target\`.
03 | M | SHOULD | 2 | The token is for the resource asked for.
04 | M | SHOULD | 2.2 | A token may be asked for some of the authorized resources.
05 | M | SHOULD | 2.2 | A resource that was not authorized is \`invalid_target\`.
06 | M | SHOULD | 2.2 | A refresh may name the resource and not widen it.
07 | M | MUST | 2.2 | A scope that was narrowed for the resource is told.
08 | - | MAY | 2 | The parameter may repeat.
09 | M | SHOULD | 2 | A query is part of the identifier.
`,
  ),
  standardDocument(
    'R9068',
    'RFC 9068, JWT access tokens',
    'https://www.rfc-editor.org/rfc/rfc9068',
    `
01 | - | MUST | 2.1, 4 | Tokens are signed; RS256 is supported.
02 | - | MUST | 2.1 | The type in the header is at+jwt.
03 | - | MUST | 2.2 | The seven required claims are there.
04 | - | SHOULD | 3 | The audience is the resource asked for.
05 | - | MUST | 3 | Without a resource a default is the audience.
06 | - | SHOULD | 3 | Scopes of several default resources are refused.
07 | - | SHOULD | 2.2.3 | The scope is a claim and means something to the audience.
08 | - | MUST NOT | 3, 5 | No token whose meaning would be ambiguous.
09 | - | MUST | 5 | Different resources, different audiences.
10 | - | SHOULD | 4 | Keys and issuer are published, alike in both documents.
11 | - | SHOULD | 5 | A client cannot choose a subject.
12 | - | SHOULD | 2.2.3.1 | Groups, roles and entitlements go by their SCIM names.
13 | - | MUST | 2.2 | Each token has an id of its own.
14 | - | MAY | 2.2.1 | How the person signed in is told, and stays on refresh.
`,
  ),
  standardDocument(
    'R9449',
    'RFC 9449, DPoP',
    'https://www.rfc-editor.org/rfc/rfc9449',
    `
01 | - | MUST | 4.3 | One proof in a request.
02 | - | MUST | 4.3 | A proof is a JWT with all required members.
03 | - | MUST | 4.3, 11.5 | Its type is dpop+jwt.
04 | - | MUST | 4.3, 11.6 | Its algorithm is asymmetric and supported.
05 | - | MUST | 4.3 | Its signature fits its key.
06 | - | MUST | 4.3 | Its key is a public one.
07 | - | MUST | 4.3 | \`htm\` is the method.
08 | - | MUST | 4.3 | \`htu\` is the address, without query and fragment.
09 | - | MUST | 4.3, 8, 11.3 | A nonce must be the one we gave.
10 | - | MUST | 4.3, 11.1 | A proof is fresh.
11 | - | SHOULD | 11.1 | A proof works once.
12 | - | MUST | 5 | The type of a bound token is DPoP.
13 | - | MUST | 6.1, 6.2 | The token names the thumbprint of the key, introspection too.
14 | - | MUST | 5 | A public client's refresh token is bound to the key.
15 | - | MUST | 8 | A nonce is demanded with one header and a 400.
16 | - | MUST | 8 | Nonces cannot be predicted.
17 | - | MUST | 11.3 | Where nonces are demanded no proof does without.
18 | - | MUST | 5.2 | A client registered for bound tokens gets none without a proof.
19 | - | MUST | 10 | A code asked for with a key is redeemed with that key.
20 | - | MUST | 10.1 | A pushed request may carry the key either way, and both must agree.
21 | - | MUST | 5.1 | The metadata names the algorithms.
22 | - | MUST | 5 | A bad proof is 400 with a code of its own.
23 | - | SHOULD | 8.2 | Browsers may send proofs and read nonces.
`,
  ),
  standardDocument(
    'R9470',
    'RFC 9470, step-up authentication',
    'https://www.rfc-editor.org/rfc/rfc9470',
    `
01 | - | SHOULD | 4, 5 | \`acr_values\` and \`max_age\` are honoured.
02 | - | SHOULD | 6 | The token tells how and when the person signed in.
03 | - | SHOULD | 5 | What cannot be reached is refused by name.
04 | - | SHOULD | 7 | The metadata names what can be reached.
`,
  ),
  standardDocument(
    'R9701',
    'RFC 9701, JWT introspection responses',
    'https://www.rfc-editor.org/rfc/rfc9701',
    `
01 | - | MUST | 4, 5 | Who asks for the media type gets it.
02 | - | MUST | 5 | The answer is a signed JWT with a type of its own.
03 | - | MUST | 5 | It names us, the caller and the time, and holds the introspection.
04 | - | SHOULD NOT | 5, 8.1 | It has no subject or expiry of its own.
05 | - | MUST | 5 | An inactive token is inactive and nothing else.
06 | - | MUST | 3, 5 | The caller is authenticated, and sees what it may.
07 | - | MUST | 7 | The metadata names the algorithms.
`,
  ),
] as const;
