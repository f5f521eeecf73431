import type { Entity } from '../entity.ts';
import * as crypto from '../views/crypto.ts';

/** How secrets in the database are encrypted. */
export const cryptoEntities = {
  crypto: {
    title: 'Data encryption',
    operations: {
      status: {
        method: 'GET',
        path: '/admin/crypto/status',
        summary: 'What is encrypted in the database, by the key that encrypted it.',
        returns: crypto.CryptoStatus,
      },
      reencrypt: {
        method: 'POST',
        path: '/admin/crypto/reencrypt',
        summary: 'Encrypt anew, beside the traffic, what another key than the one in use encrypted.',
        returns: crypto.Reencryption,
        audit: 'crypto.reencrypted',
        role: 'owner',
        progress: true,
        inParts: true,
      },
    },
  },
} as const satisfies Record<string, Entity>;
