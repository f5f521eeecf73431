import type { Queryable } from '../db.ts';

export type DcrMode = 'open' | 'approved_redirects' | 'admin_only';

/** What an operator changed at run time; it survives a restart and wins over the configuration. */
export const settings = (db: Queryable) => ({
  async dcrMode(): Promise<DcrMode | undefined> {
    const { rows } = await db.query<{ value: DcrMode }>(
      'setting_dcr_mode',
      `select value from settings where name = 'dcr_mode'`,
    );
    return rows[0]?.value;
  },

  async setDcrMode(mode: DcrMode): Promise<void> {
    await db.query(
      'setting_set_dcr_mode',
      `insert into settings (name, value) values ('dcr_mode', $1)
       on conflict (name) do update set value = excluded.value, updated_at = now()`,
      [JSON.stringify(mode)],
    );
  },
});
