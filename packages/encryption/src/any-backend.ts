import { type DataCipher, DecryptionError } from './data-cipher.ts';

/** Encrypts with `current`; what another backend encrypted before is opened by that one of `previous`, and is not current. */
export const anyBackendCipher = (current: DataCipher, previous: readonly DataCipher[]): DataCipher => {
  const all = [current, ...previous];
  return {
    backend: current.backend,
    encrypt: (owner, plaintext) => current.encrypt(owner, plaintext),
    async decrypt(owner, sealed) {
      const cipher = all.find(({ backend }) => backend === sealed.backend);
      if (cipher) return await cipher.decrypt(owner, sealed);
      throw new DecryptionError(
        'unknown_key',
        `what is stored for ${owner} needs ${sealed.backend}, which is not configured`,
      );
    },
    isCurrent: (sealed) => current.isCurrent(sealed),
  };
};
