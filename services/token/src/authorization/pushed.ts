import { type FormParams, formatForm, parseForm } from '@authserver/http';
import type { Client, Repositories, Store } from '@authserver/store';
import { randomToken, tokenHash } from '../secrets.ts';
import { after } from '../time.ts';
import type { Asked } from './request.ts';
import { UntrustedRequest } from './target.ts';

const prefix = 'urn:ietf:params:oauth:request_uri:';

/** A `request_uri` of our making; any other names a document elsewhere, and nothing is fetched (RFC 9101 §10.4). */
export const isPushedUri = (uri: string): boolean => uri.startsWith(prefix);

export type PushedRequests = {
  /** Names a request before it is kept, for it to be checked under that name. */
  name(params: FormParams, now: Date): { requestUri: string; asked: Asked };
  /** Keeps a request that was checked (RFC 9126 §2.2). */
  keep(client: Client, asked: Asked): Promise<{ expiresIn: number }>;
  /**
   * The request behind a `request_uri`, for the client it belongs to.
   *
   * @throws {UntrustedRequest} when there is none, it is over, was answered, or belongs to another client (RFC 9126 §7.1)
   */
  open(requestUri: string, clientId: string | undefined, now: Date): Promise<Asked>;
  /** Again, after a page: a person may take longer than the `request_uri` lives. */
  reopen(hash: Buffer, askedAt: Date): Promise<Asked>;
};

/** Pushed authorization requests (RFC 9126): 256 random bits name a row; only their hash is kept. */
export const createPushedRequests = (
  store: Pick<Store, 'pushedRequests'>,
  lifetime: { seconds: number; personSeconds: number },
): PushedRequests => {
  const find = async (hash: Buffer) => {
    const row = await store.pushedRequests.find(hash);
    if (row && !row.answeredAt) return row;
    throw gone();
  };

  return {
    name(params, now) {
      const name = randomToken();
      return { requestUri: `${prefix}${name}`, asked: { params, pushed: tokenHash(name), askedAt: now } };
    },

    async keep(client, { params, pushed, askedAt }) {
      const expiresAt = after(askedAt, lifetime.seconds);
      await store.pushedRequests.insert({
        requestHash: pushed as Buffer,
        clientId: client.clientId,
        query: formatForm(params),
        createdAt: askedAt,
        expiresAt,
        keptUntil: after(expiresAt, lifetime.personSeconds),
      });
      return { expiresIn: lifetime.seconds };
    },

    async open(requestUri, clientId, now) {
      if (clientId === undefined)
        throw new UntrustedRequest('The request does not say which app it is for.', 'client_missing');
      const hash = tokenHash(requestUri.slice(prefix.length));
      const row = await find(hash);
      if (row.clientId !== clientId)
        throw new UntrustedRequest('The request belongs to another app.', 'pushed_request_other_client');
      if (row.expiresAt <= now) throw gone();
      return { params: parseForm(row.query), pushed: hash, askedAt: now };
    },

    async reopen(hash, askedAt) {
      return { params: parseForm((await find(hash)).query), pushed: hash, askedAt };
    },
  };
};

/**
 * Uses a pushed request up: with a code or with an error, it has one answer (RFC 9126 §7.3).
 *
 * @throws {UntrustedRequest} for everybody but the first
 */
export const requireUnanswered = async (
  store: Pick<Repositories, 'pushedRequests'>,
  pushed: Buffer,
  now: Date,
): Promise<void> => {
  if (!(await store.pushedRequests.answer(pushed, now))) throw gone();
};

/** One answer for unknown, expired and used up: whoever tries names learns nothing. */
const gone = (): UntrustedRequest =>
  new UntrustedRequest(
    'This sign-in request has expired or was already answered. Go back to the app and start again.',
    'pushed_request_unknown',
  );
