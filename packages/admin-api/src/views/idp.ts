import { z } from 'zod';
import { page, plainText, QueryFlag, Timestamp } from './fields.ts';

/** As it is written: a parser would mend blanks and other spellings, and what is compared byte for byte must not be mended. */
const isWebAddress = (text: string): boolean => {
  const url = /^https?:\/\/[\x21-\x7e]+$/.test(text) ? URL.parse(text) : null;
  return url !== null && url.username === '' && url.password === '' && !text.includes('#');
};

const WebAddress = z.string().max(2000).refine(isWebAddress, 'must be an https URL without user info and fragment');

const Issuer = WebAddress.refine((issuer) => !issuer.includes('?'), 'must not have a query (RFC 8414 §2)').describe(
  'Issuer identifier, byte for byte as its assertions say it in `iss`.',
);

const JwksUri = WebAddress.nullable().describe(
  'Where its public keys are. null: where the metadata of the issuer says (OpenID Connect Discovery, RFC 8414).',
);

const Audience = plainText(2000)
  .min(1)
  .nullable()
  .describe('What its assertions must have as `aud`. null: the issuer of this server.');

const Name = plainText(255).min(1).describe('Name for people.');

export const CreateIdp = z
  .strictObject({
    issuer: Issuer,
    name: Name.optional().describe('Name for people; the issuer, if absent.'),
    jwks_uri: JwksUri.default(null),
    audience: Audience.default(null),
    enabled: z.boolean().default(true).describe('Whether its assertions are believed.'),
  })
  .meta({ id: 'CreateIdp' });

export const UpdateIdp = z
  .strictObject({
    name: Name,
    jwks_uri: JwksUri,
    audience: Audience,
    enabled: z.boolean().describe('Whether its assertions are believed.'),
  })
  .partial()
  .meta({ id: 'UpdateIdp' });

export const ListIdps = z.strictObject(page({ default: 100, max: 1000 }));

export const DeleteIdp = z.strictObject({
  cascade: QueryFlag.describe('Delete its policies and subject mappings with it.'),
});

/** What goes with an identity provider. */
export const IdpEnd = z.object({ policies: z.int(), subject_mappings: z.int() }).meta({ id: 'IdpEnd' });

const shown = {
  id: z.string(),
  name: z.string(),
  issuer: z.string(),
  jwks_uri: z.string().describe('Empty when it is not known yet.'),
  jwks_uri_discovered: z.boolean().describe('Whether the address of the keys is what the metadata of the issuer says.'),
  audience: z.string(),
  enabled: z.boolean(),
  keys_fetched_at: Timestamp.optional().describe('When usable keys were last seen there; absent when never.'),
  created_at: Timestamp,
  updated_at: Timestamp,
};

export const IdpView = z.object(shown).meta({ id: 'Idp' });

export const CreatedIdp = z
  .object({
    ...shown,
    warning: z.string().optional().describe('Why its keys were not found; it is stored all the same.'),
  })
  .meta({ id: 'CreatedIdp' });

export const RefreshedKeys = z
  .object({
    status: z.literal('refreshed'),
    jwks_uri: z.string(),
    usable_keys: z.int(),
    kids: z.array(z.string()).describe('Ids of the usable keys that have one.'),
    keys_fetched_at: Timestamp,
  })
  .meta({ id: 'RefreshedKeys' });
