import type { Config } from '@authserver/config';
import type { Store } from '@authserver/store';
import type { HandlersOf } from './handler.ts';
import { recordChange } from './record-change.ts';
import { conflict } from './refusals.ts';

/** The mode set here wins over the configured one and survives a restart. */
export const dcrHandlers = ({ store, config }: { store: Store; config: Config }): HandlersOf<'dcr'> => ({
  get: async () => ({ mode: (await store.settings.dcrMode()) ?? config.dcr.mode }),

  set: async ({ body: { mode }, caller, now }) => {
    if (mode === 'approved_redirects' && config.dcr.approved_redirects.length === 0)
      throw conflict('dcr.approved_redirects is empty, so nobody could register; put the redirect URIs there first.');
    return store.transaction(async (tx) => {
      const before = (await tx.settings.dcrMode()) ?? config.dcr.mode;
      await tx.settings.setDcrMode(mode);
      await recordChange(
        tx,
        { caller, now },
        {
          action: 'dcr.mode_updated',
          kind: 'dcr_mode',
          key: 'dcr_mode',
          details: { before: { mode: before }, after: { mode } },
        },
      );
      return { mode };
    });
  },
});
