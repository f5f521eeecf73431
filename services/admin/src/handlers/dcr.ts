import type { Config } from '@authserver/config';
import type { HandlersOf } from './handler.ts';
import { conflict } from './refusals.ts';

/** The mode set here wins over the configured one and survives a restart. */
export const dcrHandlers = ({ config }: { config: Config }): HandlersOf<'dcr'> => ({
  get: async ({ store }) => ({ mode: (await store.settings.dcrMode()) ?? config.dcr.mode }),

  async set({ body: { mode }, store, record }) {
    if (mode === 'approved_redirects' && config.dcr.approved_redirects.length === 0)
      throw conflict('dcr.approved_redirects is empty, so nobody could register; put the redirect URIs there first.');
    const kept = await store.settings.dcrMode();
    // Setting what is only configured is a change: from now on the configuration does not decide any more.
    if (kept === mode) return { mode };
    await store.settings.setDcrMode(mode);
    record({
      action: 'dcr.mode_updated',
      feed: { kind: 'dcr_mode', key: 'dcr_mode' },
      details: { before: { mode: kept ?? config.dcr.mode }, after: { mode } },
    });
    return { mode };
  },
});
