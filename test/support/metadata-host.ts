import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;
export type Published = Record<string, unknown> | string;

/** Settings with which a server fetches from this machine, and over http. */
export const localFetch = { CIMD_REQUIRE_HTTPS: 'false', CIMD_ALLOW_PRIVATE_ADDRESSES: 'true' };

/**
 * A client developer's web server: publishes metadata documents and key sets, and counts who came. Over http on localhost,
 * or over https as `client.example` and below, for a server whose names lead here.
 */
export const startMetadataHost = async (options: { https?: string } = {}) => {
  const handlers = new Map<string, Handler>();
  const requests: { path: string; headers: IncomingMessage['headers'] }[] = [];
  const listener: Handler = (request, response) => {
    const path = request.url ?? '';
    requests.push({ path, headers: request.headers });
    const handler = handlers.get(path) ?? handlers.get('*');
    if (handler) handler(request, response);
    else response.writeHead(404).end();
  };
  if (options.https) setDefaultCACertificates([...getCACertificates(), certificate]);
  const server = options.https
    ? createHttpsServer({ cert: certificate, key: privateKey }, listener)
    : createHttpServer(listener);
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const { port } = server.address() as AddressInfo;
  const origin = options.https ? `https://${options.https}:${port}` : `http://localhost:${port}`;
  const close = () => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
  after(close);

  return {
    origin,
    port,
    requests,
    close,
    count: (path: string) => requests.filter((request) => request.path === path).length,
    /** Serves a document, or what it makes of its own URL, and returns the URL. */
    publish(
      path: string,
      document: Published | ((url: string) => Published),
      headers: Record<string, string> = {},
      status = 200,
    ): string {
      const url = `${origin}${path}`;
      const body = typeof document === 'function' ? document(url) : document;
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      handlers.set(path, (_request, response) =>
        response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text),
      );
      return url;
    },
    /** Answers a path by hand; `*` is every other one. */
    on(path: string, handler: Handler): string {
      handlers.set(path, handler);
      return `${origin}${path}`;
    },
  };
};

export type MetadataHost = Awaited<ReturnType<typeof startMetadataHost>>;

/** Of nobody and for nothing but these tests; names client.example, *.client.example and localhost. */
export const certificate = `-----BEGIN CERTIFICATE-----
MIIBjTCCATOgAwIBAgIBATAKBggqhkjOPQQDAjAZMRcwFQYDVQQDDA5jbGllbnQu
ZXhhbXBsZTAgFw0yNDAxMDEwMDAwMDBaGA8yMTI0MDEwMTAwMDAwMFowGTEXMBUG
A1UEAwwOY2xpZW50LmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQC
kRMkvKVkXC0wY7/840pUtBKi7WApFMbilA1U0EvtOU3+w5de815gVBJtT1y+H2Lu
alilRbCK7WbeixR4l3+to2owaDA2BgNVHREELzAtgg5jbGllbnQuZXhhbXBsZYIQ
Ki5jbGllbnQuZXhhbXBsZYIJbG9jYWxob3N0MA8GA1UdEwEB/wQFMAMBAf8wHQYD
VR0OBBYEFI+A5hEcXP3lsh/y4naTYx8ckAzfMAoGCCqGSM49BAMCA0gAMEUCIFsv
uawETbgLua74et9xucphmkwDfftMM+2saN3AHClzAiEA8bicNcpt9wVpIeH3c6TJ
4DFM/LlzlpYj2IrFUmyTrdM=
-----END CERTIFICATE-----`;
export const privateKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgzRNO9LrtJ2n1PRlN
GkkQ3xnDt+t4wIQqSxG78Ap1G6uhRANCAAQCkRMkvKVkXC0wY7/840pUtBKi7WAp
FMbilA1U0EvtOU3+w5de815gVBJtT1y+H2LualilRbCK7WbeixR4l3+t
-----END PRIVATE KEY-----`;
