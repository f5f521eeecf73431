import { z } from 'zod';
import { entities } from './entities.ts';
import { type Operation, pathParams, successStatus } from './entity.ts';

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
  const { query, body, returns } = operation;
  const inputs = operation.query ?? operation.body ?? pathParams(operation.path).length > 0;
  const problems = [
    ...(inputs ? ['400'] : []),
    '401',
    ...(pathParams(operation.path).length > 0 ? ['404'] : []),
    ...(operation.audit ? ['409'] : []),
    'default',
  ];
  return {
    summary: operation.summary,
    ...(operation.audit ? { description: `Audited as ${[operation.audit].flat().join(', ')}.` } : {}),
    parameters: [
      ...pathParams(operation.path).map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
      ...(query ? queryParameters(query, schemas) : []),
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
        ...(returns ? { content: json(toSchema(returns, 'output', schemas)) } : {}),
      },
      ...Object.fromEntries(problems.map((status) => [status, problemResponse(status)])),
    },
  };
};

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
  404: 'There is no such thing.',
  409: 'It exists already, is in use, is in the wrong state, or was changed meanwhile.',
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
      examples: ['invalid_request', 'unauthorized', 'not_found', 'conflict', 'unavailable'],
    },
    detail: { type: 'string', description: 'For people.' },
  },
  required: ['type', 'title', 'status', 'code', 'detail'],
};
