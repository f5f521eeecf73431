/** Rows that no test of ours can prove, and why. A row that has a test may not stand here. */
export const exceptions: Readonly<Record<string, string>> = {
  'MCP-23': 'The sum of other rows: those of OAuth 2.1 section 7 and of RFC 9700.',
  'MCP-40': 'Feature not offered: this release takes nobody on to an upstream provider.',
  'MCP-41': 'Feature not offered: as above.',
  'MCP-42': 'Feature not offered: as above.',
  'MCP-43': 'Feature not offered: as above.',
  'CIMD-23': 'Not required: a document may name any redirect URI, and the person sees its host.',
  'O21-45': 'Cannot occur: no code is made without a challenge, for any client (O21-41).',
  'R6749-04':
    'The refusal of a person reaches the client (consent). When our database is away no redirect URI can be checked, so a page says it, with 503.',
  'R6750-04': 'The header is the only way there is; nothing else is read (MCP-38).',
  'R7009-07': 'Cannot occur: every kind of token can be revoked.',
  'JAG-08':
    'Feature not offered: an assertion with authorization details is refused, since to pass over them would widen it.',
  'R7591-11': 'Feature not offered: a software statement is ignored, as unknown metadata is (R7591-05).',
  'R7591-17':
    'We add refresh_token where grant types are left out and say so in the answer, because MCP clients leave them out and refresh all the same.',
  'R8414-11': 'Feature not offered: the metadata is not signed.',
  'R8693-12':
    'Feature not offered: our tokens carry no may_act. Who may act is on the lists of the target, where an operator can change it while tokens live.',
  'R9068-06': 'Cannot occur: there is one default resource at most.',
  'R9068-12': 'Feature not offered: tokens carry neither groups nor roles nor entitlements.',
  'R9126-07': 'Superseded: rfc7523bis narrows the audience to our issuer, at this endpoint too (R7523-22).',
  'R9207-04': 'Feature not offered: authorization responses are no JWTs.',
  'R9728-05': "Not required: the resources of a server are nobody else's business.",
  'R9728-06': "The resource server's duty; the MCP server of docs/quickstart shows how.",
};

/** Rows that are tested and of which there is more to say: where we knowingly do something else besides. */
export const remarks: Readonly<Record<string, string>> = {
  'MCP-20':
    'Besides, a native app may register a private-use scheme (RFC 8252 §7.1), because some MCP clients have nothing else.',
};
