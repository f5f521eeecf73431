import type { Entity } from '../entity.ts';
import * as key from '../views/key.ts';

/** What tokens are signed with. */
export const keyEntities = {
  key: {
    title: 'Signing keys',
    operations: {
      list: { method: 'GET', path: '/admin/keys', summary: 'List signing keys.', returns: key.Keys },
      rotate: {
        method: 'POST',
        path: '/admin/keys/rotate',
        summary: 'Sign with the next key from now on.',
        query: key.RotateKeyQuery,
        body: key.RotateKey,
        returns: key.RotatedKey,
        audit: 'key.rotated',
      },
      retire: {
        method: 'POST',
        path: '/admin/keys/{kid}/retire',
        summary: 'Forget a replaced key before its time, as after a leak; never the one that signs, nor the next.',
        query: key.RetireKeyQuery,
        body: key.RetireKey,
        returns: key.RetiredKey,
        audit: 'key.retired',
      },
    },
  },
} as const satisfies Record<string, Entity>;
