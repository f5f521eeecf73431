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

  /** Whether signing keys were ever made for this database: from then on, missing ones are lost ones. */
  async signingKeysExist(): Promise<boolean> {
    const { rows } = await db.query('setting_signing_keys', `select 1 from settings where name = 'signing_keys_exist'`);
    return rows.length > 0;
  },

  async noteSigningKeys(): Promise<void> {
    await db.query(
      'setting_note_signing_keys',
      `insert into settings (name, value) values ('signing_keys_exist', 'true') on conflict do nothing`,
    );
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
