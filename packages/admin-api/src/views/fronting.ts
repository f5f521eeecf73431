import { isScopeToken } from '@authserver/oauth';
import { z } from 'zod';
import { page, plainText, Slug, Timestamp } from './fields.ts';

const ScopeName = z.string().max(1024).refine(isScopeToken, 'must be a scope token (RFC 6749 §3.3)');

const ScopeMap = z
  .record(
    ScopeName,
    z
      .array(ScopeName)
      .min(1)
      .max(500)
      .transform((scopes) => [...new Set(scopes)]),
  )
  .refine((map) => Object.keys(map).length > 0, 'must map at least one scope')
  .refine((map) => Object.keys(map).length <= 500, 'must not map more than 500 scopes')
  .describe('What a scope of the source becomes at the target: {source scope: [target scope]}.');

export const CreateFrontingLink = z
  .strictObject({
    source: Slug.describe('Slug of the resource in front, a mint one.'),
    target: Slug.describe('Slug of the resource behind it.'),
    scope_map: ScopeMap,
  })
  .meta({ id: 'CreateFrontingLink' });

/** From where to where a link leads cannot be changed. */
export const UpdateFrontingLink = z.strictObject({ scope_map: ScopeMap }).partial().meta({ id: 'UpdateFrontingLink' });

export const ListFrontingLinks = z.strictObject({
  source: plainText(256).optional().describe('Links that begin at the resource with this slug.'),
  target: plainText(256).optional().describe('Links that end at the resource with this slug.'),
  ...page({ default: 100, max: 500 }),
});

export const FrontingLinkView = z
  .object({
    source_slug: z.string(),
    target_slug: z.string(),
    scope_map: z.record(z.string(), z.array(z.string())),
    created_at: Timestamp,
    updated_at: Timestamp,
    created_by: z.string().describe('Who made it, as the audit trail names them.'),
  })
  .meta({ id: 'FrontingLink' });

export const ResourceLinks = z
  .object({
    slug: z.string(),
    fronts: z.array(FrontingLinkView).describe('Links that begin at the resource.'),
    fronted_by: z.array(FrontingLinkView).describe('Links that end at it.'),
  })
  .meta({ id: 'ResourceLinks' });
