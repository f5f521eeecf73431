import type { AdminRequest, AdminResponse } from '@authserver/admin-api';
import { CommandFailure, exitCodes, usageFailure } from './failure.ts';

const timeoutMs = 30_000;

/** The request may have arrived, and what it asked for may be done; nobody here knows. */
export class AnswerLost extends CommandFailure {
  /** It was waited for long enough already. */
  readonly slow: boolean;
  constructor(base: string, cause: Error) {
    super('unreachable', exitCodes.failure, whyUnreachable(base, cause), { cause });
    this.slow = cause.name === 'TimeoutError';
  }
}

/** @throws {CommandFailure} usage */
export const parseAdminUrl = (text: string): URL => {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) throw usageFailure('--admin-url expects an http or https URL');
  if (url.username || url.password || url.search || url.hash)
    throw usageFailure('--admin-url takes no user info, query or fragment');
  return url;
};

/**
 * Sends a request to the admin service at `adminUrl`, which may have a path of its own.
 *
 * @throws {AnswerLost} when the connection broke or nothing came back in time
 * @throws {CommandFailure} when it cannot be reached, or refuses the key
 */
export const sendOverHttp = async (
  { method, path, query, body, headers, stream }: AdminRequest,
  { adminUrl, apiKey }: { adminUrl: URL; apiKey: string | undefined },
): Promise<AdminResponse> => {
  const base = adminUrl.href.replace(/\/$/, '');
  const response = await fetch(`${base}${path}${query ? `?${new URLSearchParams(query)}` : ''}`, {
    method,
    headers: {
      accept: 'application/json',
      ...headers,
      ...(apiKey ? { authorization: `Bearer ${apiKey}` } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    // A redirect would take the key to where the operator did not point.
    redirect: 'manual',
    // What comes line by line may take its time.
    ...(stream ? {} : { signal: AbortSignal.timeout(timeoutMs) }),
  }).catch((cause: Error) => {
    if (!neverSent(cause)) throw new AnswerLost(base, cause);
    throw new CommandFailure('unreachable', exitCodes.failure, whyUnreachable(base, cause), { cause });
  });

  if (response.status === 401) {
    const reason = apiKey ? `${base} refuses the admin API key` : `${base} wants the admin API key`;
    const remedy = 'set AUTHPLANE_ADMIN_API_KEY, or AUTHPLANE_ADMIN_API_KEY_FILE to a file that holds it';
    throw new CommandFailure('unauthorized', exitCodes.authentication, `${reason}: ${remedy}`);
  }
  if (stream && response.ok && response.body)
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: undefined,
      chunks: response.body,
    };
  const answer = {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: await readBody(response).catch((cause: Error) => {
      throw new AnswerLost(base, cause);
    }),
  };
  // Not the object is missing but the whole API: a script must not read that as something deleted.
  if (answer.status === 404 && !isObjectMissing(answer.body))
    throw new CommandFailure('unreachable', exitCodes.failure, `there is no admin API at ${base}: is the URL right?`);
  return answer;
};

const isObjectMissing = (body: unknown): boolean => {
  const { code, detail } = (body ?? {}) as { code?: string; detail?: string };
  return code === 'not_found' && detail !== 'There is nothing at this address.';
};

const readBody = async (response: Response): Promise<unknown> => {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

/** There was nobody to send it to; another try has to be the operator's. */
const neverSent = ({ cause }: Error): boolean =>
  ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'].includes(codeOf(cause)) ||
  /CERT|TLS|SSL|SELF_SIGNED/.test(codeOf(cause));

const codeOf = (error: unknown): string => String((error as { code?: unknown } | undefined)?.code ?? '');

const whyUnreachable = (url: string, error: Error): string => {
  if (error.name === 'TimeoutError') return `the admin service at ${url} did not answer within ${timeoutMs / 1000} s`;
  const { code, message } = (error.cause ?? {}) as { code?: string; message?: string };
  if (code === 'ECONNREFUSED')
    return `cannot reach the admin service at ${url}: is it running? (start it with: authserver serve)`;
  return `cannot reach the admin service at ${url}: ${code ?? message ?? error.message}`;
};
