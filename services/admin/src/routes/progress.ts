/**
 * Operations that take long, for a caller who accepts `application/x-ndjson`: a line `{"progress": {…}}` now and then, and
 * `{"result": …}` or `{"problem": …}` as the last. Whatever is refused before the work has begun is an ordinary answer.
 */
import { PassThrough } from 'node:stream';
import type { OnProgress, Operation } from '@authserver/admin-api';
import { toProblem, toProblemBody } from '@authserver/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Answer } from '../operations/idempotency.ts';

const mediaType = 'application/x-ndjson';

export const wantsProgress = (request: FastifyRequest): boolean =>
  (request.headers.accept ?? '').split(',').some((range) => range.split(';', 1)[0]?.trim().toLowerCase() === mediaType);

export const sendProgress = async (
  reply: FastifyReply,
  operation: Operation,
  run: (onProgress: OnProgress) => Promise<Answer>,
): Promise<FastifyReply> => {
  const lines = new PassThrough();
  const write = (line: unknown) => void lines.write(`${JSON.stringify(line)}\n`);
  const begun = Promise.withResolvers<undefined>();
  const work = run((progress) => {
    begun.resolve(undefined);
    write({ progress });
  });
  // A refusal without a single line of progress is an answer like any other.
  const early = await Promise.race([work, begun.promise]);
  if (early) return reply.code(early.status).headers(early.headers).send(early.body);

  work
    .then(
      // What the table does not name is not shown, here as elsewhere.
      ({ body }) => write({ result: operation.returns ? operation.returns.parse(body) : (body ?? null) }),
      (error: unknown) => {
        const problem = toProblem(error);
        if (problem.status >= 500)
          reply.log.error({ request_id: reply.request.id, err: problem.cause }, 'request failed');
        write({ problem: toProblemBody(problem) });
      },
    )
    .catch((cause: unknown) => lines.destroy(cause as Error))
    .then(() => lines.end());
  return reply.code(200).type(mediaType).send(lines);
};
