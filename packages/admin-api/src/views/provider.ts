import { z } from 'zod';
import { page, plainText, Slug, Timestamp } from './fields.ts';
import { configDataDescription, providerProtocols, readConfigData } from './provider-config.ts';

const Protocol = z.enum(providerProtocols).describe('How the credentials of its users are obtained.');
const DisplayName = plainText(255).min(1).describe('Name people see.');
const ConfigData = z.record(z.string(), z.unknown()).describe(configDataDescription);

export const CreateProvider = z
  .strictObject({ slug: Slug, display_name: DisplayName, protocol: Protocol, config_data: ConfigData })
  .check(
    z.superRefine(
      ({ protocol, config_data }, context) => {
        // Whether secrets can be kept is for the server to say.
        for (const { path, message } of readConfigData(protocol, config_data, { keepsSecrets: true }).problems)
          context.addIssue({ code: 'custom', path: ['config_data', ...path], message });
      },
      // Also beside other violations, so that one answer names all.
      { when: ({ value }) => TiedMembers.safeParse(value).success },
    ),
  )
  .meta({ id: 'CreateProvider' });

const TiedMembers = z.object({ protocol: Protocol, config_data: ConfigData });

/** `config_data` replaces what is there, except for a `client_secret` that is kept and not mentioned. */
export const UpdateProvider = z
  .strictObject({ slug: Slug, display_name: DisplayName, protocol: Protocol, config_data: ConfigData })
  .partial()
  .meta({ id: 'UpdateProvider' });

const paging = page({ default: 100, max: 500 });

export const ListProviders = z
  .strictObject({
    slug: plainText(256)
      .optional()
      .describe('Answer with this one provider instead of a list; goes with nothing else.'),
    cursor: paging.cursor,
    limit: paging.limit.removeDefault().optional(),
    offset: paging.offset.removeDefault().optional(),
  })
  .refine(
    ({ slug, ...others }) => slug === undefined || Object.values(others).every((value) => value === undefined),
    'slug cannot be combined with other parameters',
  );

export const ProviderView = z
  .object({
    id: z.string(),
    slug: z.string(),
    display_name: z.string(),
    protocol: z.enum(providerProtocols),
    config_data: z.record(z.string(), z.unknown()).describe('As it was given. It has no secret in it.'),
    has_client_secret: z
      .literal(true)
      .optional()
      .describe('A client_secret was given and is kept encrypted; absent when not.'),
    created_at: Timestamp,
    updated_at: Timestamp,
  })
  .meta({ id: 'Provider' });
