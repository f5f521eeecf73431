import { z } from 'zod';
import { entities } from './entities.ts';
import { isChange, type Operation, pathParams, queryOf, roleOf, successStatus } from './entity.ts';

type Json = Record<string, unknown>;

/** The OpenAPI 3.1 document of the admin API, made from the entity table. */
export const openApiDocument = (): Json => {
  const schemas: Json = { Problem: problemSchema };
  const paths: Record<string, Json> = {};
  for (const [name, { title, operations }] of Object.entries(entities))
    for (const [verb, operation] of Object.entries<Operation>(operations)) {
      const operationId = `${name}${verb[0]?.toUpperCase()}${verb.slice(1)}`;
      paths[operation.path] ??= {};
      Object.assign(paths[operation.path] as Json, {
        [operation.method.toLowerCase()]: { operationId, tags: [title], ...describe(operation, schemas) },
      });
    }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Authorization server admin API',
      version: '1',
      description: 'What an operator can do. Every answer that is not a success is a problem (RFC 9457) with a `code`.',
    },
    security: [{ apiKey: [] }],
    tags: Object.values(entities).map(({ title }) => ({ name: title })),
    paths,
    components: {
      schemas,
      securitySchemes: { apiKey: { type: 'http', scheme: 'bearer', description: 'The admin API key.' } },
    },
  };
};

const describe = (operation: Operation, schemas: Json): Json => {
  const { body, returns, rehearsal, stream } = operation;
  const query = queryOf(operation);
  const inputs = operation.query ?? operation.body ?? pathParams(operation.path).length > 0;
  const problems = [
    ...(inputs ? ['400'] : []),
    '401',
    '403',
    ...(pathParams(operation.path).length > 0 ? ['404'] : []),
    ...(isChange(operation) ? ['409', '412', '422'] : []),
    '429',
    'default',
  ];
  return {
    summary: operation.summary,
    description: [
      `Needs the role ${roleOf(operation)}.`,
      ...(stream ? ['The answer is lines of JSON.'] : []),
      ...(operation.audit ? [`Audited as ${[operation.audit].flat().join(', ')}.`] : []),
    ].join(' '),
    parameters: [
      ...pathParams(operation.path).map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
      ...queryParameters(query, schemas),
      ...(isChange(operation) ? changeHeaders : []),
    ],
    ...(body
      ? {
          requestBody: {
            required: !body.safeParse(undefined).success,
            content: json(toSchema(body, 'input', schemas)),
          },
        }
      : {}),
    responses: {
      [successStatus(operation)]: {
        description: successDescription[successStatus(operation)],
        ...(returns
          ? { content: { [stream ?? 'application/json']: { schema: toSchema(returns, 'output', schemas) } } }
          : {}),
      },
      ...(rehearsal
        ? { 200: { description: 'What a dry run found.', content: json(toSchema(rehearsal, 'output', schemas)) } }
        : {}),
      ...Object.fromEntries(problems.map((status) => [status, problemResponse(status)])),
    },
  };
};

const changeHeaders: Json[] = [
  {
    name: 'If-Match',
    in: 'header',
    description: 'The `ETag` of what was read; the change is refused when it is not that any more (RFC 9110 §13.1.1).',
    schema: { type: 'string' },
  },
  {
    name: 'Idempotency-Key',
    in: 'header',
    description: 'Chosen by the caller. A repetition within a day gets the same answer, and nothing is done twice.',
    schema: { type: 'string', maxLength: 255 },
  },
];

const successDescription = { 200: 'Done.', 201: 'Created.', 204: 'Done; there is nothing to show.' } as const;

const queryParameters = (query: z.ZodObject, schemas: Json): Json[] => {
  const { properties = {}, required = [] } = toSchema(query, 'input', schemas) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    ...(description ? { description } : {}),
    schema,
  }));
};

/** The JSON Schema of `schema`; those that carry an id end up in `schemas`, once, and are referred to. */
const toSchema = (schema: z.ZodType, io: 'input' | 'output', schemas: Json): Json => {
  const { $schema: _, $defs, ...rest } = z.toJSONSchema(schema, { io }) as Json & { $defs?: Json };
  const relocate = (value: unknown): Json =>
    JSON.parse(JSON.stringify(value).replaceAll('#/$defs/', '#/components/schemas/'));
  for (const [id, definition] of Object.entries($defs ?? {})) schemas[id] = relocate(definition);
  return relocate(rest);
};

const json = (schema: Json): Json => ({ 'application/json': { schema } });

const problemDescription: Record<string, string> = {
  400: 'Something in the request is not acceptable; `detail` names all of it.',
  401: 'The API key is missing or wrong.',
  403: 'The API key has not the role this needs.',
  404: 'There is no such thing.',
  409: 'It exists already, is in use, is in the wrong state, or was changed meanwhile.',
  412: 'It was changed since `If-Match` was read.',
  422: 'The `Idempotency-Key` was used for another request.',
  429: 'Too many requests, or too many wrong keys, from this address; `Retry-After` says how long to wait.',
  default: 'Any other problem.',
};

const problemResponse = (status: string): Json => ({
  description: problemDescription[status],
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
});

const problemSchema: Json = {
  type: 'object',
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: {
      type: 'string',
      description: 'Stable, for programs.',
      examples: ['invalid_request', 'unauthorized', 'forbidden', 'not_found', 'conflict', 'precondition_failed'],
    },
    detail: { type: 'string', description: 'For people.' },
  },
  required: ['type', 'title', 'status', 'code', 'detail'],
};
