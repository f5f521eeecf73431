import { isScopeToken, resourceKey } from '@authserver/oauth';
import { z } from 'zod';
import { Id, page, plainText, Timestamp } from './fields.ts';

const unique = (items: readonly string[]): string[] => [...new Set(items)];

/** For these lists "nobody in particular" and "anybody" are one thing, so it is kept and shown in one way. */
const anyIfEmpty = (items: readonly string[] | null): string[] | null => (items?.length ? [...items] : null);

const ClientIds = z
  .array(plainText(2000).min(1))
  .max(1000)
  .nullable()
  .transform((items) => anyIfEmpty(items && unique(items)))
  .describe('Clients it is about. null or empty: any.');

const Resources = z
  .array(
    plainText(2000).refine(
      (uri) => resourceKey(uri) !== undefined,
      'must be an absolute URI without user info and fragment (RFC 8707 §2)',
    ),
  )
  .max(1000)
  .nullable()
  .transform((uris) => anyIfEmpty(uris && [...new Map(uris.map((uri) => [resourceKey(uri), uri])).values()]))
  .describe('Resources it is about, compared as those of requests are. null or empty: any.');

const Scopes = z
  .array(z.string().refine(isScopeToken, 'must be a scope token (RFC 6749 §3.3)'))
  .max(500)
  .nullable()
  .transform((scopes) => scopes && unique(scopes))
  .describe('Scopes that may be granted at most. null: any. Empty: none, whatever it is about is refused.');

const PolicyName = plainText(255).min(1);
const Priority = z
  .int()
  .min(0)
  .max(1_000_000)
  .describe(
    'Policies with lower numbers are asked first, of equal ones the older; the first that is about a request decides.',
  );
const Enabled = z.boolean().describe('Whether it is asked at all.');

export const CreateXaaPolicy = z
  .strictObject({
    idp_id: Id.describe('Identity provider whose assertions it is about.'),
    name: PolicyName.optional().describe('Name for people; that of the identity provider, if absent.'),
    priority: Priority.default(100),
    client_ids: ClientIds.default(null),
    scopes: Scopes.default(null),
    resources: Resources.default(null),
    enabled: Enabled.default(true),
  })
  .meta({ id: 'CreateXaaPolicy' });

/** What is absent stays, and `null` makes a list unrestricted again. */
export const UpdateXaaPolicy = z
  .strictObject({
    name: PolicyName.describe('Name for people.'),
    priority: Priority,
    client_ids: ClientIds,
    scopes: Scopes,
    resources: Resources,
    enabled: Enabled,
  })
  .partial()
  .meta({ id: 'UpdateXaaPolicy' });

export const ListXaaPolicies = z.strictObject({
  idp_id: Id.optional().describe('Only those of this identity provider.'),
  ...page({ default: 100, max: 1000 }),
});

export const XaaPolicyView = z
  .object({
    id: z.string(),
    idp_id: z.string(),
    name: z.string(),
    priority: z.int(),
    client_ids: z.array(z.string()).nullable().describe('null: any.'),
    scopes: z.array(z.string()).nullable().describe('null: any.'),
    resources: z.array(z.string()).nullable().describe('null: any.'),
    enabled: z.boolean(),
    created_at: Timestamp,
    updated_at: Timestamp,
  })
  .meta({ id: 'XaaPolicy' });

// 512 characters fill less than a page of an index, whatever they are.
const Subject = plainText(512).min(1);
const UserId = Id.describe('Id of the account here.');
const UserName = plainText(254)
  .min(1)
  .describe('The account here, by id or e-mail address; instead of `local_user_id`.');

const oneOf = (body: Record<string, unknown>, left: string, right: string, needed: boolean): string | undefined => {
  const given = [left, right].filter((name) => body[name] !== undefined && body[name] !== null);
  if (given.length > 1) return `means the same as ${right}; give one of them`;
  return needed && given.length === 0 ? `is required (or ${right})` : undefined;
};

/** Two spellings of each member are taken; answers have the first. */
export const CreateSubjectMapping = z
  .strictObject({
    idp_id: Id.describe('Identity provider that knows the subject.'),
    idp_subject: Subject.optional().describe('What its assertions have as `sub`.'),
    federated_subject: Subject.optional().describe('Another name of `idp_subject`.'),
    local_user_id: UserId.nullish(),
    local_subject: UserName.nullish(),
    mode: z
      .literal('explicit')
      .optional()
      .describe('A mapping that is written down names its account; nothing else is known.'),
  })
  .check(
    z.superRefine(
      (body, context) => {
        const refuse = (path: string, message: string | undefined) =>
          message && context.addIssue({ code: 'custom', path: [path], message });
        refuse('idp_subject', oneOf(body, 'idp_subject', 'federated_subject', true));
        refuse('local_user_id', oneOf(body, 'local_user_id', 'local_subject', body.mode === 'explicit'));
      },
      // Also beside other violations, so that one answer names all.
      { when: ({ value }) => typeof value === 'object' && value !== null },
    ),
  )
  .meta({ id: 'CreateSubjectMapping' });

export const UpdateSubjectMapping = z
  .strictObject({
    local_user_id: UserId.nullable().describe('Id of the account here; null: the subject is known and has none.'),
    local_subject: UserName,
  })
  .partial()
  .refine((body) => oneOf(body, 'local_user_id', 'local_subject', false) === undefined, {
    path: ['local_user_id'],
    message: 'means the same as local_subject; give one of them',
  })
  .meta({ id: 'UpdateSubjectMapping' });

export const ListSubjectMappings = z.strictObject({
  idp_id: Id.optional().describe('Only those of this identity provider.'),
  local_user_id: Id.optional().describe('Only those of this account.'),
  ...page({ default: 100, max: 1000 }),
});

export const SubjectMappingView = z
  .object({
    id: z.string(),
    idp_id: z.string(),
    idp_subject: z.string(),
    local_user_id: z
      .string()
      .optional()
      .describe('Absent when the subject has no account here. The account may be gone: then the subject is refused.'),
    created_at: Timestamp,
    updated_at: Timestamp,
  })
  .meta({ id: 'SubjectMapping' });
