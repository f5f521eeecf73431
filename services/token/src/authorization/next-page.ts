import { readUserCode, showUserCode } from '@authserver/oauth';

/**
 * A page of ours that wants somebody signed in. It travels through sign-in and sign-out by name, never as an address, so
 * that neither can be used to send people elsewhere.
 */
export type NextPage = { name: 'account' } | { name: 'device'; userCode: string | undefined };

type Fields = Readonly<Record<string, string | string[] | undefined>>;

export const readNextPage = ({ next, user_code }: Fields): NextPage | undefined => {
  if (next === 'account') return { name: next };
  if (next !== 'device') return undefined;
  return { name: next, userCode: typeof user_code === 'string' ? readUserCode(user_code) : undefined };
};

/** As the fields of a form or the parameters of a link. */
export const nextPageFields = (page: NextPage): { next: NextPage['name']; user_code?: string } =>
  page.name === 'device' && page.userCode !== undefined
    ? { next: page.name, user_code: showUserCode(page.userCode) }
    : { next: page.name };

/** Where it is, below the path of the issuer. */
export const pathOfNext = (page: NextPage): string => {
  const { next, ...query } = nextPageFields(page);
  const parameters = new URLSearchParams(query).toString();
  return parameters === '' ? `/${next}` : `/${next}?${parameters}`;
};

/** The sign-in page that leads there. */
export const loginBefore = (page: NextPage): string => `/login?${new URLSearchParams(nextPageFields(page))}`;
