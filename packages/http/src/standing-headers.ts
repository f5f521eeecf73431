import { type OutgoingHttpHeaders, ServerResponse } from 'node:http';

/**
 * Responses that carry these headers, whatever else goes wrong or is forgotten; one that sets a header of the same name
 * means its own. Names in lower case.
 *
 * They are put in front of the others when the head is written, in a list: an object of them would be built, copied and
 * looked through for each answer.
 */
export const responsesWith = (standing: Readonly<Record<string, string>>): typeof ServerResponse => {
  const fields = Object.entries(standing);
  return class extends ServerResponse {
    /** As Fastify calls it, and Node for an answer that has no headers of its own. */
    override writeHead(status: number, headers: unknown = {}): this {
      const own = headers as OutgoingHttpHeaders;
      const list: (string | number | string[])[] = [];
      for (const [name, value] of fields) if (own[name] === undefined) list.push(name, value);
      for (const name in own) list.push(name, own[name] ?? '');
      return super.writeHead(status, list as string[]);
    }
  } as typeof ServerResponse;
};
