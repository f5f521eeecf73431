/** Which connections of a pod to PostgreSQL are told apart. */
export type PostgresClass = 'queries' | 'changes';

const PROTOCOL_3 = 196_608;

/** What a client calls itself in its startup message (PostgreSQL, §55.2.1); undefined when this is none. */
export const applicationName = (first: Buffer): string | undefined => {
  if (first.length < 8 || first.readInt32BE(4) !== PROTOCOL_3) return undefined;
  const words = first.subarray(8, first.readInt32BE(0)).toString('utf8').split('\0');
  for (let index = 0; index + 1 < words.length; index += 2)
    if (words[index] === 'application_name') return words[index + 1];
  return undefined;
};

/** The connection that listens for changes, or one of the others. */
export const classifyPostgres = (first: Buffer): PostgresClass =>
  applicationName(first) === 'authserver changes' ? 'changes' : 'queries';
