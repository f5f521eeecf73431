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

/** What tells a feed sooner than its interval. */
export const channelNames = ['notify', 'nats'] as const;
export type ChannelName = (typeof channelNames)[number];

const maxKeyLength = 512;

/** What a channel carries: that something changed, never its new value. A forged one costs a read, nothing else. */
export const ChangeMessage = z.object({
  version: z.number().int().positive(),
  kind: z.string().max(64),
  key: z.string().max(maxKeyLength),
});
export type ChangeMessage = z.infer<typeof ChangeMessage>;

/** The message about a change. A key that is too long is cut: who hears of it reads the row. */
export const toMessage = ({ version, kind, key }: ChangeMessage): string =>
  JSON.stringify({ version, kind, key: key.slice(0, maxKeyLength) });

/** NATS subject of a kind of change, or of all of them. */
export const subjectOf = (prefix: string, kind: string): string => `${prefix}.changes.${kind}`;
