import { Agent as HttpAgent, type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { readAnswer, type VaultAnswer } from './answer.ts';
import { VaultError } from './errors.ts';

export type Method = 'GET' | 'POST';

export type VaultRequest = {
  method: Method;
  path: string;
  body?: Record<string, unknown> | undefined;
  token?: string | undefined;
  signal: AbortSignal;
};

export type Send = (request: VaultRequest) => Promise<VaultAnswer>;

/** No answer to anything we ask is near this. */
const largestAnswer = 1024 * 1024;
/** Less than what load balancers allow an idle connection, so that we end it first. */
const idleMs = 30_000;

export const createTransport = (
  options: { address: string; namespace?: string | undefined; ca?: string | undefined },
  connections: number,
): { send: Send; close(): void } => {
  const base = new URL(options.address);
  const isTls = base.protocol === 'https:';
  const keep = {
    keepAlive: true,
    maxSockets: connections,
    maxFreeSockets: 8,
    timeout: idleMs,
    scheduling: 'lifo',
  } as const;
  const agent = isTls ? new HttpsAgent(keep) : new HttpAgent(keep);
  const tls = {
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  } as const;

  /** A kept connection that Vault has just closed is no failure: what was sent on it is sent once more. */
  const exchange = async (request: VaultRequest, payload: string | undefined): Promise<IncomingMessage> => {
    const to: RequestOptions = {
      method: request.method,
      protocol: base.protocol,
      hostname: base.hostname.replace(/^\[|\]$/g, ''),
      port: base.port,
      path: `${base.pathname.replace(/\/+$/, '')}/v1/${request.path}`,
      agent,
      signal: request.signal,
      headers: {
        accept: 'application/json',
        'x-vault-request': 'true',
        ...(request.token === undefined ? {} : { 'x-vault-token': request.token }),
        ...(options.namespace === undefined ? {} : { 'x-vault-namespace': options.namespace }),
        ...(payload === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
      },
    };
    const once = () =>
      new Promise<IncomingMessage>((resolve, reject) => {
        const sent = isTls ? requestHttps({ ...to, ...tls }) : requestHttp(to);
        sent.on('response', resolve).on('error', (error: NodeJS.ErrnoException) => {
          reject(Object.assign(error, { isStale: sent.reusedSocket && error.code === 'ECONNRESET' }));
        });
        sent.end(payload);
      });
    return await once().catch((error: Error & { isStale?: boolean }) => {
      // Rotating twice is not the same as rotating once; everything else we ask is.
      if (!error.isStale || request.path.endsWith('/rotate')) throw error;
      return once();
    });
  };

  return {
    async send(request) {
      const what = `Vault: ${request.path}`;
      const payload = request.body === undefined ? undefined : JSON.stringify(request.body);
      let status: number;
      let text: string;
      try {
        const response = await exchange(request, payload);
        status = response.statusCode ?? 0;
        text = await readText(response);
      } catch (error) {
        if (request.signal.aborted) throw new VaultError('unavailable', `${what}: no answer in time`, error);
        const code = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
        throw new VaultError('unavailable', `${what}: not reached (${code})`, error);
      }
      try {
        return readAnswer(what, status, text);
      } catch (error) {
        if (error instanceof VaultError) error.message = redact(error.message, request);
        throw error;
      }
    },
    close: () => agent.destroy(),
  };
};

const readText = async (response: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > largestAnswer) {
      response.destroy();
      throw new Error('the answer is too large');
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
};

/** Vault repeats what it did not like: a role id, a ciphertext. Nothing that we sent beside the path is repeated. */
const redact = (message: string, { token, body = {} }: VaultRequest): string =>
  [token, ...Object.values(body)]
    .filter((value) => typeof value === 'string' && value.length >= 4)
    .reduce<string>((text, value) => text.replaceAll(value as string, '…'), message);
