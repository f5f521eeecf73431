import { z } from 'zod';

/** Every kind of change the control plane announces. */
export const changeKinds = [
  'signing_key',
  'dcr_mode',
  'client',
  'user',
  'resource',
  'provider',
  'fronting_link',
  'idp',
  'xaa_policy',
  'subject_mapping',
  'revocation',
] as const;
export type ChangeKind = (typeof changeKinds)[number];

/** What a channel carries: that something changed, never its new value. A forged one costs a read, nothing else. */
export const ChangeMessage = z.object({
  version: z.number().int().positive(),
  kind: z.string().max(64),
  key: z.string().max(512),
});
export type ChangeMessage = z.infer<typeof ChangeMessage>;
