/** Every list of the admin API with every filter, over the rows of `many-rows.ts`: what plans and times are about. */
import type { Page, Paged, Store, TokenFilter } from '@authserver/store';
import type { Sizes } from './many-rows.ts';

export type ListCase = {
  name: string;
  list: (page: Page) => Promise<Paged<unknown>>;
  /** A position in the middle, and one with less than a page behind it, for a list that does not count its rows. */
  positions?: { middle: string; last: string };
};

const day = 24 * 3600 * 1000;

export const listCases = async (store: Store, sizes: Sizes, now: Date): Promise<ListCase[]> => {
  const { clients, users, tokens, issuances, consentGrants, resources } = store;
  const [popular] = (await clients.list({}, { limit: 1, offset: 0 })).rows;
  const someone = (await users.list({}, { limit: 1, offset: Math.floor(sizes.families / 2) })).rows[0];
  const machine = (await clients.list({ grantType: 'client_credentials' }, { limit: 1, offset: 1 })).rows[0];
  const place = (await resources.list({}, { limit: 1, offset: 0 })).rows[0];
  if (!popular || !someone || !machine || !place) throw new Error('there are too few rows');
  const [clientId, userId, resourceId] = [popular.clientId, someone.id, place.id];

  const clientCase = (name: string, filter: Parameters<typeof clients.list>[0]): ListCase => ({
    name: `clients${name}`,
    list: (page) => clients.list(filter, page),
  });
  const userCase = (name: string, filter: Parameters<typeof users.list>[0]): ListCase => ({
    name: `users${name}`,
    list: (page) => users.list(filter, page),
  });
  const idAt = (time: number) => `${toHex(time).slice(0, 8)}-${toHex(time).slice(8)}-7000-8000-000000000000`;
  const alive = { now, aliveSince: new Date(now.getTime() - day) };
  const tokenCase = (name: string, filter: Omit<TokenFilter, keyof typeof alive>): ListCase => ({
    name: `tokens${name}`,
    list: (page) => tokens.list({ ...filter, ...alive }, page),
    ...(Object.keys(filter).length === 0
      ? { positions: { middle: idAt(now.getTime() - 30 * day), last: idAt(now.getTime() - 60 * day + 300_000) } }
      : {}),
  });
  const since = new Date(now.getTime() - 30 * day);
  const positions = { middle: idAt(now.getTime() - 15 * day), last: idAt(since.getTime() + 60_000) };
  const issuanceCase = (name: string, filter: Omit<Parameters<typeof issuances.list>[0], 'since'>): ListCase => ({
    name: `issuances${name}`,
    list: (page) => issuances.list({ ...filter, since }, page),
    positions,
  });

  return [
    clientCase('', {}),
    clientCase(' status=active', { status: 'active' }),
    clientCase(' status=suspended', { status: 'suspended' }),
    clientCase(' source=admin', { source: 'admin' }),
    clientCase(' source=cimd', { source: 'cimd' }),
    clientCase(' agent=true', { agent: true }),
    clientCase(' grant_type=client_credentials', { grantType: 'client_credentials' }),
    clientCase(' grant_type=authorization_code', { grantType: 'authorization_code' }),
    clientCase(' scope=reports/write', { scope: 'reports/write' }),
    clientCase(' scope=nothing', { scope: 'nothing' }),
    clientCase(' redirect_uri', { redirectUri: 'https://app-77.example.com/callback' }),
    clientCase(' last_used_before', { unusedSince: new Date(now.getTime() - 89 * day) }),
    clientCase(' q=its id', { text: clientId }),
    clientCase(' q=app-77.ex', { text: 'app-77.ex' }),
    clientCase(' q=example', { text: 'example' }),
    clientCase(' q=nobody has it', { text: 'nobody has it' }),
    clientCase(' q=claude, suspended, dcr', { text: 'CLAUDE', status: 'suspended', source: 'dcr' }),
    userCase('', {}),
    userCase(' email', { email: someone.email }),
    userCase(' status=disabled', { status: 'disabled' }),
    userCase(' status=active', { status: 'active' }),
    userCase(' role=admin', { role: 'admin' }),
    userCase(' provider=oidc', { provider: 'oidc' }),
    userCase(' q=part of an address', { text: someone.email?.slice(0, 12) }),
    userCase(' q=example', { text: 'example' }),
    userCase(' q=nobody has it', { text: 'nobody has it' }),
    issuanceCase(' client=popular', { clientId }),
    issuanceCase(' client=machine', { clientId: machine.clientId }),
    issuanceCase(' user', { userId }),
    issuanceCase(' resource', { resourceId }),
    issuanceCase(' client, user', { clientId, userId }),
    issuanceCase(' client, resource', { clientId, resourceId }),
    tokenCase('', {}),
    tokenCase(' client_id=popular', { clientId }),
    tokenCase(' client_id=machine', { clientId: machine.clientId }),
    tokenCase(' user_id', { userId }),
    { name: 'grants of a user', list: (page) => consentGrants.pageOfUser(userId, page) },
    { name: 'resources', list: (page) => resources.list({}, page) },
  ];
};

const toHex = (time: number): string => time.toString(16).padStart(12, '0');
