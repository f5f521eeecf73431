import { randomToken, type Secrets } from '../secrets.ts';
import { after, type Clock } from '../time.ts';

/** What a user is to be asked because a token exchange was refused for want of their consent. */
export type ConsentQuestion = {
  /** The user of the subject token: nobody else can answer. */
  userId: string;
  /** Whose consent is missing: the client the subject token was issued to. */
  clientId: string;
  /** Who wanted to exchange the token. */
  actingClientId: string;
  resourceIds: readonly string[];
  /** What is missing, at those of the resources that offer it. */
  scopes: readonly string[];
};

/**
 * The question as it travels in a URL, encrypted: nothing is kept here until it is answered. `id` names it, and it is
 * answered once; it expires at `exp`, in seconds.
 */
export type ConsentTicket = ConsentQuestion & {
  id: string;
  exp: number;
  /** What identified the clients on the page, once it was drawn. */
  shown: string | undefined;
  /** Where the answer sends the browser, once the page has said so. */
  returnUrl: string | undefined;
};

export type ConsentTickets = {
  /** The page that asks, for the client to show its user; `undefined` when it would be too long for a URL. */
  urlFor(question: ConsentQuestion): Promise<string | undefined>;
  open(sealed: string): Promise<ConsentTicket | undefined>;
  /** The same, to travel in the page that was drawn for it; it lives no longer for that. */
  sealShown(ticket: ConsentTicket, shown: string): Promise<string>;
};

/** Where the question is asked, below the path of the issuer. */
export const consentTicketPath = '/consent/exchange';

const lifetimeSeconds = 600;
/** Characters. Chat clients and proxies cut longer URLs, and a client may still append a `return_url`. */
const longest = 4096;

export const createConsentTickets = (secrets: Secrets, clock: Clock, issuer: string): ConsentTickets => {
  const purpose = 'exchange consent';
  return {
    async urlFor({ userId, clientId, actingClientId, resourceIds, scopes }) {
      const ticket = { id: randomToken(), userId, clientId, actingClientId, resourceIds, scopes };
      const sealed = await secrets.seal(purpose, ticket, after(clock.now(), lifetimeSeconds));
      const url = `${issuer}${consentTicketPath}?ticket=${sealed}`;
      return url.length > longest ? undefined : url;
    },
    open: async (sealed) => (await secrets.unseal(purpose, sealed, clock.now())) as ConsentTicket | undefined,
    sealShown: ({ exp, ...ticket }, shown) => secrets.seal(purpose, { ...ticket, shown }, new Date(exp * 1000)),
  };
};
