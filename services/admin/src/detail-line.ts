type Details = Record<string, unknown>;

/**
 * An audit event's details on one line: the plain members as `key=value`, and of `before` and `after` what differs, as
 * `key=old->new`. Everything else stays in `details`.
 */
export const detailLine = (details: Details): string =>
  [
    ...Object.entries(details)
      .filter(([, value]) => isPlain(value))
      .map(([key, value]) => `${key}=${quote(String(value))}`),
    ...differences(details.before, details.after),
  ].join(' ');

const differences = (before: unknown, after: unknown): string[] => {
  if (!isObject(before) || !isObject(after)) return [];
  return Object.keys(after)
    .filter((key) => key !== 'updated_at' && JSON.stringify(before[key]) !== JSON.stringify(after[key]))
    .map((key) => `${key}=${shown(before[key])}->${shown(after[key])}`);
};

const isPlain = (value: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof value);
const isObject = (value: unknown): value is Details => typeof value === 'object' && value !== null;
const shown = (value: unknown): string => quote(isPlain(value) ? String(value) : JSON.stringify(value ?? null));

/** A value that could be read as several is put in quotes. */
const quote = (value: string): string => (/^[^\s"=]+$/.test(value) ? value : JSON.stringify(value));
