import type { GrantType } from '@authserver/oauth';
import { type Conditions, requireText } from '../listing.ts';
import { isText } from '../text.ts';
import type { ClientStatus, RegistrationSource } from './clients.ts';

/** Which clients a list shows. All that are given must match. */
export type ClientFilter = {
  /** Part of the id, the name or a redirect URI, in any case of letters. */
  text?: string | undefined;
  status?: ClientStatus | undefined;
  source?: RegistrationSource | undefined;
  agent?: boolean | undefined;
  grantType?: GrantType | undefined;
  /** Registered, byte for byte. */
  redirectUri?: string | undefined;
  /** In the ceiling. */
  scope?: string | undefined;
  /** Neither used nor made since. */
  unusedSince?: Date | undefined;
};

/** Each condition is one that an index of `clients` serves. */
export const matchClients = (filter: ClientFilter, matching: Conditions): void => {
  const { text, status, source, agent, grantType, redirectUri, scope, unusedSince } = filter;
  if (status !== undefined) matching.require(`status = ${matching.value(status)}`);
  if (source !== undefined) matching.require(`registration_source = ${matching.value(source)}`);
  if (agent !== undefined) matching.require(agent ? 'agent' : 'not agent');
  if (grantType !== undefined) matching.require(`grant_types @> array[${matching.value(grantType)}::text]`);
  if (scope !== undefined) matching.require(`ceiling @> array[${matching.value(scope)}::text]`);
  if (unusedSince !== undefined)
    matching.require(`coalesce(last_used_at, created_at) < ${matching.value(unusedSince)}::timestamptz`);
  if (text !== undefined) requireText(searchText, text, matching);
  if (redirectUri !== undefined) {
    requireText(searchText, redirectUri, matching);
    matching.require(`redirect_uris @> array[${matching.value(redirectUri)}::text]`);
  }
};

const searchText = 'client_search_text(client_id, client_name, redirect_uris)';

/** A time as PostgreSQL has it; a `Date` would cut off its microseconds. */
export const momentOf = (column: string): string =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

const moment = /^\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

/** What stands behind a position: a moment and an id. A position of another list is behind everything. */
export const behindClient = (position: string, matching: Conditions): string => {
  const space = position.indexOf(' ');
  const [at, id] = [position.slice(0, space), position.slice(space + 1)];
  if (!moment.test(at) || !isText(id)) return 'false';
  return `(created_at, client_id) > (${matching.value(at)}::timestamptz, ${matching.value(id)}::text)`;
};
