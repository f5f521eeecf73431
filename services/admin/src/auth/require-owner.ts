import { Problem } from '@authserver/http';
import type { Caller } from '../handlers/handler.ts';

/**
 * For the part of an operation that needs more than the operation: `deed` is what is asked for.
 *
 * @throws {Problem} `forbidden`
 */
export const requireOwner = ({ role }: Pick<Caller, 'role'>, deed: string): void => {
  if (role !== 'owner') throw new Problem('forbidden', `${deed} needs the role owner; the key has the role ${role}.`);
};
