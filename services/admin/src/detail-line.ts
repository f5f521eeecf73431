/** The plain members of an audit event's details as `key=value`, space separated; what is nested stays in `details`. */
export const detailLine = (details: Record<string, unknown>): string =>
  Object.entries(details)
    .filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))
    .map(([key, value]) => `${key}=${quote(String(value))}`)
    .join(' ');

/** A value that could be read as several is put in quotes. */
const quote = (value: string): string => (/^[^\s"=]+$/.test(value) ? value : JSON.stringify(value));
