/**
 * The one way out: every request this server makes to an address that a stranger chose goes through here.
 *
 * A URL is checked, its name resolved once, every address that came back checked, and the connection pinned to those
 * addresses, so that a name cannot point elsewhere a moment later (DNS rebinding). No redirect is followed, no proxy or
 * cookie used, TLS is always verified; one time limit covers everything from the name to the last byte, and one size
 * limit the body.
 */
import { Agent as HttpAgent, type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { isIPv6, type LookupFunction } from 'node:net';
import { isPublicAddress } from './addresses.ts';
import { OutboundError, type OutboundFailure } from './errors.ts';
import { type Resolve, resolveByNameServers } from './resolve.ts';
import { type OutboundPolicy, type OutboundTarget, readTarget } from './target.ts';

export type OutboundOptions<Purpose extends string> = OutboundPolicy & {
  resolve?: Resolve | undefined;
  /** Done around each request, whatever comes of it; what it gives to `ask` is sent as `traceparent`. */
  around?: (
    request: OutboundRequest<Purpose> & { method: Method },
    ask: (traceparent?: string) => Promise<OutboundResponse>,
  ) => Promise<OutboundResponse>;
  /** Told how each request ended and after how many seconds. */
  onEnd?: (purpose: Purpose, outcome: 'answered' | OutboundFailure, seconds: number) => void;
};

type Method = 'GET' | 'POST';

export type OutboundRequest<Purpose extends string> = {
  url: string;
  /** Why we ask: a label of metrics. */
  purpose: Purpose;
  /** Media types for `Accept`. */
  accept: string;
  /** For `Authorization`: only to a host that an operator named. */
  authorization?: string | undefined;
  timeoutMs: number;
  /** Largest body, in bytes. */
  maxBytes: number;
};

/** A form, posted to an endpoint such as that for tokens. */
export type OutboundForm<Purpose extends string> = OutboundRequest<Purpose> & { form: string };

export type OutboundResponse = {
  status: number;
  headers: Headers;
  /** Empty unless the status is 200, or says what is wrong with a form (RFC 6749 §5.2): nothing else is read. */
  body: Buffer;
};

export type OutboundClient<Purpose extends string> = {
  /** @throws {OutboundError} when there was no complete answer */
  get(request: OutboundRequest<Purpose>): Promise<OutboundResponse>;
  /** @throws {OutboundError} when there was no complete answer; the host may have acted all the same */
  post(request: OutboundForm<Purpose>): Promise<OutboundResponse>;
};

/** No kept connections and no proxy, not even one from the environment: a proxy would resolve the name again. */
const agentOptions = { keepAlive: false, maxCachedSessions: 0, proxyEnv: {} };
const maxHeaderBytes = 16 * 1024;

export const createOutboundClient = <Purpose extends string>(
  options: OutboundOptions<Purpose>,
): OutboundClient<Purpose> => {
  const agents = { 'https:': new HttpsAgent(agentOptions), 'http:': new HttpAgent(agentOptions) };
  const resolve = options.resolve ?? resolveByNameServers;
  const { around = (_request, ask) => ask() } = options;

  /** The addresses a connection may use. One bad address among good ones refuses all: it is there to be hit by chance. */
  const addressesOf = async ({ host, isAddress }: OutboundTarget, signal: AbortSignal): Promise<readonly string[]> => {
    if (isAddress) return [host];
    const addresses = await resolve(host, signal).catch((cause: unknown) => {
      throw new OutboundError('unreachable', 'the host name could not be resolved', cause);
    });
    if (addresses.length === 0) throw new OutboundError('unreachable', 'the host name has no address');
    if (!options.allowPrivateAddresses && !addresses.every(isPublicAddress))
      throw new OutboundError('forbidden', 'the host name leads to an address that is not on the public internet');
    return addresses;
  };

  const ask = async (
    request: OutboundRequest<Purpose>,
    form: string | undefined,
    signal: AbortSignal,
    traceparent?: string,
  ): Promise<OutboundResponse> => {
    const target = readTarget(request.url, options);
    const addresses = await abortable(addressesOf(target, signal), signal);
    const sent = {
      method: form === undefined ? 'GET' : 'POST',
      agent: agents[target.url.protocol as keyof typeof agents],
      lookup: pinnedTo(addresses),
      // An encoding would have to be undone before its size is known, so none is accepted.
      headers: {
        accept: request.accept,
        'accept-encoding': 'identity',
        'user-agent': 'mcp-authserver',
        ...(request.authorization === undefined ? {} : { authorization: request.authorization }),
        ...(form === undefined ? {} : formHeaders(form)),
        ...(traceparent === undefined ? {} : { traceparent }),
      },
      maxHeaderSize: maxHeaderBytes,
      insecureHTTPParser: false,
      signal,
    };
    const response = await send(target, sent, form);
    try {
      const status = response.statusCode ?? 0;
      const headers = toHeaders(response);
      const isRead = status === 200 || (form !== undefined && (status === 400 || status === 401));
      const body = isRead ? await readBody(response, headers, request.maxBytes) : Buffer.alloc(0);
      return { status, headers, body };
    } finally {
      response.destroy();
    }
  };

  const run = async (request: OutboundRequest<Purpose>, form?: string): Promise<OutboundResponse> => {
    const started = performance.now();
    const timer = new AbortController();
    const timeout = setTimeout(() => timer.abort(), request.timeoutMs);
    let outcome: 'answered' | OutboundFailure = 'answered';
    try {
      const method = form === undefined ? 'GET' : 'POST';
      return await around({ ...request, method }, (traceparent) => ask(request, form, timer.signal, traceparent));
    } catch (thrown) {
      const error = toOutboundError(thrown, timer.signal.aborted);
      outcome = error.failure;
      throw error;
    } finally {
      clearTimeout(timeout);
      options.onEnd?.(request.purpose, outcome, (performance.now() - started) / 1000);
    }
  };

  return { get: (request) => run(request), post: (request) => run(request, request.form) };
};

const formHeaders = (form: string) => ({
  'content-type': 'application/x-www-form-urlencoded',
  'content-length': String(Buffer.byteLength(form)),
});

/** Explicit where the process could have been told otherwise by its environment (`NODE_TLS_REJECT_UNAUTHORIZED`). */
const strictTls = { rejectUnauthorized: true, minVersion: 'TLSv1.2' } as const;

const send = ({ url, host }: OutboundTarget, options: RequestOptions, body?: string): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const to = { ...options, protocol: url.protocol, hostname: host, port: url.port, path: url.pathname + url.search };
    const sent = url.protocol === 'https:' ? requestHttps({ ...to, ...strictTls }) : requestHttp(to);
    sent.on('response', resolve).on('error', reject);
    sent.on('upgrade', (_response, socket) => {
      socket.destroy();
      reject(new OutboundError('malformed', 'the host switched protocols'));
    });
    sent.end(body);
  });

/** Answers with what was checked, whatever it is asked. */
const pinnedTo =
  (addresses: readonly string[]): LookupFunction =>
  (_host, options, callback) => {
    const all = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
    if (options.all) callback(null, all);
    else callback(null, all[0]?.address ?? '', all[0]?.family ?? 4);
  };

const readBody = async (response: IncomingMessage, headers: Headers, maxBytes: number): Promise<Buffer> => {
  const encoding = headers.get('content-encoding');
  if (encoding !== null && encoding.toLowerCase() !== 'identity')
    throw new OutboundError('malformed', 'the answer is encoded although no encoding was asked for');
  const tooLarge = () => new OutboundError('oversized', `the answer is larger than ${maxBytes} bytes`);
  if (Number(headers.get('content-length') ?? 0) > maxBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};

const toHeaders = ({ rawHeaders }: IncomingMessage): Headers => {
  const headers = new Headers();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2)
    headers.append(rawHeaders[index] as string, rawHeaders[index + 1] as string);
  return headers;
};

/** For a promise that may not know the signal. */
const abortable = <T>(work: Promise<T>, signal: AbortSignal): Promise<T> => {
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
};

const toOutboundError = (thrown: unknown, timedOut: boolean): OutboundError => {
  if (timedOut) return new OutboundError('timeout', 'there was no complete answer in time', thrown);
  if (thrown instanceof OutboundError) return thrown;
  const code = String((thrown as NodeJS.ErrnoException | undefined)?.code ?? '');
  if (code.startsWith('HPE_')) return new OutboundError('malformed', `the answer is not HTTP (${code})`, thrown);
  return new OutboundError('unreachable', `the host could not be reached (${code || 'unknown'})`, thrown);
};
