import { randomBytes } from 'node:crypto';

/** Ids that are unique over processes and cost next to nothing: a random prefix of this process, and a count. */
export const createRequestIds = (): (() => string) => {
  const prefix = randomBytes(9).toString('base64url');
  let count = 0;
  return () => {
    count += 1;
    return `${prefix}-${count.toString(36).padStart(6, '0')}`;
  };
};
