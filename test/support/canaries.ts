import { randomBytes } from 'node:crypto';

export type Canaries = {
  secrets: ReadonlyMap<string, string>;
  /** Remembers a secret of somebody else's making, and returns it. */
  keep(name: string, secret: unknown): string;
  /** A new secret with characters that every encoding writes differently. */
  canary(name: string): string;
  /** A new secret that goes unchanged through most encodings. */
  plain(name: string): string;
  /** Which secrets can be read in texts, in whatever encoding, with what stands before them. */
  found(texts: Record<string, string>): string[];
};

/** Secrets that are recognised wherever they turn up. */
export const createCanaries = (): Canaries => {
  const secrets = new Map<string, string>();
  const keep = (name: string, secret: unknown): string => {
    if (typeof secret === 'string' && secret.length >= 8) secrets.set(`${name} ${secrets.size}`, secret);
    return String(secret ?? '');
  };
  return {
    secrets,
    keep,
    canary: (name) => keep(name, `canary-${randomBytes(9).toString('base64url')}+/=&%"<é`),
    plain: (name) => keep(name, `canary${randomBytes(24).toString('hex')}`),
    found: (texts) =>
      [...secrets].flatMap(([name, secret]) =>
        Object.entries(texts).flatMap(([place, text]) => {
          const form = formsOf(secret).find((one) => text.includes(one));
          if (form === undefined) return [];
          const at = text.indexOf(form);
          return [`${name} in ${place}: ${text.slice(Math.max(0, at - 150), at + form.length)}`];
        }),
      ),
  };
};

/** A secret as it is, and as somebody might have encoded it on the way. */
export const formsOf = (secret: string): string[] => {
  const bytes = Buffer.from(secret);
  // Inside a longer text a secret begins at one of three places of a base64 group; what is shared with others is cut off.
  const base64 = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .slice(shift === 0 ? 0 : shift + 1, -4),
  );
  return [
    secret,
    encodeURIComponent(secret),
    String(new URLSearchParams({ x: secret })).slice(2),
    JSON.stringify(secret).slice(1, -1),
    JSON.stringify(JSON.stringify(secret)).slice(3, -3),
    secret.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;'),
    bytes.toString('hex'),
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
  ].filter((form) => form.length >= 8);
};
