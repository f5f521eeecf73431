/** The settings `nats.*`, as far as a connection needs them. */
export type NatsSettings = {
  url: readonly string[];
  credentials?: string | undefined;
  user?: string | undefined;
  password?: string | undefined;
  token?: string | undefined;
  tls: { ca_path?: string | undefined; cert_path?: string | undefined; key_path?: string | undefined };
  subject_prefix: string;
};

/** Where the servers are, for a log: without what may be secret in a URL. */
export const placesOf = ({ url }: NatsSettings): string => url.map((text) => new URL(text).host).join(', ');
