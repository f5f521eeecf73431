import {
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  ServerResponse,
  validateHeaderName,
  validateHeaderValue,
} from 'node:http';
import type { FastifyReply } from 'fastify';
import { closeInStages } from './lingering-close.ts';
import { endOfTurn } from './turn.ts';

type Field = { name: string; line: string };

/** What every answer of a server carries. */
const standing = new WeakMap<object, readonly Field[]>();
const none: readonly Field[] = [];

/**
 * From now on all answers of this server carry these headers, whatever else goes wrong or is forgotten; one that sets a
 * header of the same name means its own. Names in lower case.
 */
export const carryHeaders = (server: Server, headers: Readonly<Record<string, string>>): void => {
  standing.set(server, Object.entries(headers).map(toField));
};

const toField = ([name, value]: [string, string]): Field => {
  validateHeaderName(name);
  validateHeaderValue(name, value);
  return { name, line: `${name}: ${value}\r\n` };
};

/** What writes the head of a message in Node: the status line, and then the headers, each of which it checks. */
type HeadWriter = { _storeHeader(firstLine: string, headers: unknown): void };
const NodeResponse = ServerResponse as unknown as new (
  ...args: ConstructorParameters<typeof ServerResponse>
) => ServerResponse & HeadWriter;

/**
 * The answers of all our servers, and so of one shape: code of Node that has met many shapes is slower for each.
 *
 * Headers that are known before need no check and no search with every answer: they are lines that follow the status line
 * as if they were its part.
 */
export class Answer extends NodeResponse {
  /** Told to whoever asked, so that they can tell us. */
  requestId: string | undefined = undefined;
  /** Whether it leaves with others: see `leaveTogether`. */
  together = false;
  #standing = '';
  #length = -1;

  /** As Fastify calls it, and Node for an answer that has no headers of its own. */
  override writeHead(status: number, headers: unknown = {}): this {
    const own = headers as OutgoingHttpHeaders;
    const { server } = (this.req as IncomingMessage).socket as { server?: object };
    for (const { name, line } of (server && standing.get(server)) ?? none)
      if (own[name] === undefined && !this.hasHeader(name)) this.#standing += line;
    if (this.requestId !== undefined) this.#standing += `x-request-id: ${this.requestId}\r\n`;
    this.#length = Number(own['content-length'] ?? -1);
    super.writeHead(status, headers as OutgoingHttpHeaders);
    if (this.#standing !== '') throw new Error('Node has written a head without the headers every answer carries');
    if (!this.req.complete && own.connection === 'close') closeInStages(this.req);
    return this;
  }

  override _storeHeader(firstLine: string, headers: unknown): void {
    const head = firstLine + this.#standing;
    this.#standing = '';
    super._storeHeader(head, headers);
  }

  /** A text of as many bytes as characters needs no encoding. */
  override end(chunk?: unknown, encoding?: unknown, callback?: unknown): this {
    const isPlain = typeof chunk === 'string' && chunk.length === this.#length;
    const leave = () => super.end(chunk, (isPlain ? 'latin1' : encoding) as BufferEncoding, callback as () => void);
    if (!this.together) return leave();
    endOfTurn()
      .then(leave)
      .catch((error: Error) => this.destroy(error));
    return this;
  }
}

/**
 * This answer leaves at the end of the turn of the event loop, in a row with others of that turn. For what is at hand when it is
 * asked for: one answer after another, as requests are read, wakes the other side for each of them (decision 0043). What had to
 * wait for something leaves in a row anyway.
 */
export const leaveTogether = (reply: FastifyReply): void => {
  (reply.raw as Answer).together = true;
};
