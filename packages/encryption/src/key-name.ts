import type { Sealed } from './data-cipher.ts';

/** Which key of its backend a value names, for people: the id of a master key, the version of a key in Vault. */
export const keyNameOf = ({ backend, blob }: Sealed): string =>
  backend === 'aes_master'
    ? blob.subarray(1, 9).toString('hex')
    : (/^vault:(v\d+):/.exec(blob.subarray(0, 20).toString('latin1'))?.[1] ?? '');
