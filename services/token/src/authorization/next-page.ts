import { readUserCode, showUserCode } from '@authserver/oauth';
import { consentTicketPath } from './consent-tickets.ts';

/**
 * A page of ours that wants somebody signed in. It travels through sign-in and sign-out by name, never as an address, so
 * that neither can be used to send people elsewhere. Nothing is taken from a ticket or a return URL on the way: the page
 * itself looks whether they are good.
 */
export type NextPage =
  | { name: 'account' }
  | { name: 'device'; userCode: string | undefined }
  | { name: 'consent'; ticket: string; returnUrl: string | undefined };

type Fields = Readonly<Record<string, string | string[] | undefined>>;

export const readNextPage = ({ next, user_code, ticket, return_url }: Fields): NextPage | undefined => {
  if (next === 'account') return { name: next };
  if (next === 'device') return { name: next, userCode: readUserCode(textOf(user_code)) };
  if (next !== 'consent' || typeof ticket !== 'string') return undefined;
  return { name: next, ticket, returnUrl: textOf(return_url) };
};

/** What carries a page, as the fields of a form or the parameters of a link. */
export type NextPageFields = { next: NextPage['name']; user_code?: string; ticket?: string; return_url?: string };

export const nextPageFields = (page: NextPage): NextPageFields => {
  if (page.name === 'consent')
    return {
      next: page.name,
      ticket: page.ticket,
      ...(page.returnUrl !== undefined && { return_url: page.returnUrl }),
    };
  return page.name === 'device' && page.userCode !== undefined
    ? { next: page.name, user_code: showUserCode(page.userCode) }
    : { next: page.name };
};

/** Where it is, below the path of the issuer. */
export const pathOfNext = (page: NextPage): string => {
  const { next, ...query } = nextPageFields(page);
  const path = next === 'consent' ? consentTicketPath : `/${next}`;
  const parameters = new URLSearchParams(query).toString();
  return parameters === '' ? path : `${path}?${parameters}`;
};

/** The sign-in page that leads there. */
export const loginBefore = (page: NextPage): string => `/login?${new URLSearchParams(nextPageFields(page))}`;

const textOf = (field: string | string[] | undefined): string | undefined =>
  typeof field === 'string' ? field : undefined;
