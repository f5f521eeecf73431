/**
 * Declarations: what an operator keeps in files and applies again and again. An object is named by what the operator chose
 * for it, never by an id of the server, so that the same files fit an empty server. What a declaration leaves out has its
 * default value; `status` and secrets are left alone when they are not mentioned.
 */
import { z } from 'zod';
import { adminRoles } from '../entity.ts';
import { ChosenClientId, ClientStatus, CreateClient } from './client.ts';
import { page, Timestamp } from './fields.ts';
import { CreateFrontingLink } from './fronting.ts';
import { CreateIdp } from './idp.ts';
import { CreateProvider } from './provider.ts';
import { CreateResource } from './resource.ts';
import { CreateUser, UserStatus } from './user.ts';
import { CreateSubjectMapping, CreateXaaPolicy, UpdateXaaPolicy } from './xaa.ts';

export const ClientDeclaration = CreateClient.safeExtend({
  client_id: ChosenClientId,
  status: ClientStatus.optional().describe('Left alone if absent.'),
});

/** Never a password: an operator sets it, or the account lives elsewhere. */
export const UserDeclaration = z.strictObject({
  email: CreateUser.shape.email,
  name: CreateUser.shape.name,
  role: CreateUser.shape.role,
  status: UserStatus.optional().describe('Left alone if absent.'),
});

/** A provider is named by its slug. */
export const ResourceDeclaration = CreateResource.omit({ broker_provider_id: true });

/** Secrets are named in it, as in the API: by the environment variable of the server that holds them. */
export const ProviderDeclaration = CreateProvider;

export const FrontingLinkDeclaration = CreateFrontingLink;

export const IdpDeclaration = CreateIdp;

const IdpIssuer = CreateIdp.shape.issuer.describe('Issuer of the identity provider.');

export const XaaPolicyDeclaration = z.strictObject({
  idp: IdpIssuer,
  name: UpdateXaaPolicy.shape.name.unwrap().describe('Its name, of which the identity provider has no other.'),
  priority: CreateXaaPolicy.shape.priority,
  client_ids: CreateXaaPolicy.shape.client_ids,
  scopes: CreateXaaPolicy.shape.scopes,
  resources: CreateXaaPolicy.shape.resources,
  enabled: CreateXaaPolicy.shape.enabled,
});

export const SubjectMappingDeclaration = z.strictObject({
  idp: IdpIssuer,
  idp_subject: CreateSubjectMapping.shape.idp_subject.unwrap(),
  user: CreateUser.shape.email
    .nullable()
    .default(null)
    .describe('The account here; null: the subject is known and has none.'),
});

/** Every kind of object that can be declared, under the name of its list, in the order in which they need each other. */
export const declarations = {
  clients: { kind: 'client', schema: ClientDeclaration },
  users: { kind: 'user', schema: UserDeclaration },
  providers: { kind: 'provider', schema: ProviderDeclaration },
  resources: { kind: 'resource', schema: ResourceDeclaration },
  fronting_links: { kind: 'fronting_link', schema: FrontingLinkDeclaration },
  idps: { kind: 'idp', schema: IdpDeclaration },
  xaa_policies: { kind: 'xaa_policy', schema: XaaPolicyDeclaration },
  subject_mappings: { kind: 'subject_mapping', schema: SubjectMappingDeclaration },
} as const satisfies Record<string, { kind: string; schema: z.ZodObject }>;

export type DeclarationList = keyof typeof declarations;
export type DeclarationKind = (typeof declarations)[DeclarationList]['kind'];
export const declarationLists = Object.keys(declarations) as DeclarationList[];
const declarationKinds = Object.values(declarations).map(({ kind }) => kind);

/**
 * A declaration as it comes: an object. It is checked in the handler, not on the way in, so that one answer can name what
 * is wrong with it together with what it refers to in vain, and where.
 */
const declared = (schema: z.ZodObject) => {
  const { $schema: _, $defs: __, ...described } = z.toJSONSchema(schema, { io: 'input' });
  return z.record(z.string(), z.unknown()).meta(described);
};

export const Configuration = z
  .strictObject(
    Object.fromEntries(
      Object.entries(declarations).map(([list, { schema }]) => [
        list,
        z.array(declared(schema)).max(100_000).optional(),
      ]),
    ) as { [L in DeclarationList]: z.ZodOptional<z.ZodArray<z.ZodRecord<z.ZodString, z.ZodUnknown>>> },
  )
  .meta({ id: 'Configuration' });

const OwnerLabel = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$/, 'must be 1 to 64 of A-Z, a-z, 0-9, ., _, / and -')
  .describe('Under which label what is declared here belongs together.');

const question = {
  configuration: Configuration,
  owner: OwnerLabel.default('default'),
  prune: z.boolean().default(false).describe('Delete what this owner declared before and does not any more.'),
  force: z.boolean().default(false).describe('Prune even though live tokens exist; they end with it.'),
  take_over: z.boolean().default(false).describe('Also change what belongs to another owner, and own it from now on.'),
};

export const PlanConfiguration = z.strictObject(question).meta({ id: 'PlanConfiguration' });

export const ApplyConfiguration = z
  .strictObject({
    ...question,
    plan: z.string().max(64).optional().describe('`plan` of a plan: refuse when something else would be done by now.'),
  })
  .meta({ id: 'ApplyConfiguration' });

const Kind = z.enum(declarationKinds as [DeclarationKind, ...DeclarationKind[]]);

const MemberChange = z.object({
  member: z.string().describe('Its path; of a secret only that it changes.'),
  from: z.unknown().optional(),
  to: z.unknown().optional(),
});

const Step = z.object({
  action: z
    .enum(['create', 'change', 'adopt', 'delete'])
    .describe('adopt: it is as declared, and is owned from now on.'),
  kind: Kind,
  key: z.string(),
  changes: z.array(MemberChange).optional(),
  taken_from: z.string().optional().describe('The owner it is taken from.'),
});

const planned = {
  owner: z.string(),
  plan: z.string().describe('Stands for the steps; apply can be told to do these and no others.'),
  steps: z.array(Step),
  unchanged: z.int().describe('Declared objects that are as they should be.'),
  drift: z
    .array(
      z.object({
        kind: Kind,
        key: z.string(),
        what: z.enum(['changed', 'deleted']),
        changes: z.array(MemberChange).optional().describe('From what was applied to what is.'),
      }),
    )
    .describe('What this owner declared and somebody changed by hand since.'),
  left: z
    .array(z.object({ kind: Kind, key: z.string() }))
    .describe('What this owner declared before and does not any more; prune deletes it.'),
  undeclared: z
    .array(z.object({ kind: Kind, count: z.int(), keys: z.array(z.string()).describe('The first of them.') }))
    .describe('What operators made and no owner declares.'),
  role: z.enum(adminRoles).describe('The role that applying this needs.'),
};

export const ConfigurationPlan = z.object(planned).meta({ id: 'ConfigurationPlan' });

export const AppliedConfiguration = z
  .object({
    ...planned,
    secrets: z
      .array(z.object({ client_id: z.string(), client_secret: z.string() }))
      .describe('Secrets of new clients that the declaration did not choose; shown this once.'),
  })
  .meta({ id: 'AppliedConfiguration' });

export const ExportQuery = z.strictObject({
  owner: OwnerLabel.optional().describe('Only what belongs to this owner.'),
});

export const ExportedConfiguration = z
  .object({
    configuration: z.record(z.string(), z.array(z.record(z.string(), z.unknown()))).describe('Fit to be applied.'),
    warnings: z.array(z.string()).describe('What another server would miss.'),
  })
  .meta({ id: 'ExportedConfiguration' });

export const ListOwners = z.strictObject({
  owner: OwnerLabel.optional(),
  kind: Kind.optional(),
  limit: page({ default: 1000, max: 10_000 }).limit,
  offset: page({ default: 1000, max: 10_000 }).offset,
});

export const OwnedObject = z
  .object({ kind: z.string(), key: z.string(), owner: z.string(), applied_at: Timestamp })
  .meta({ id: 'OwnedObject' });
