import { ConfigSchema } from './schema.ts';
import { elementOf, type Setting, settingsOf } from './settings.ts';

const introduction = `# Configuration

<!-- Generated from packages/config by \`pnpm generate\`. Do not edit. -->

Every setting has a default, so an empty configuration is a working server on localhost. The layers are: defaults, then
the YAML file (\`--config\` or \`AUTHPLANE_CONFIG\`), then environment variables; the later one wins.
[config.example.yaml](config.example.yaml) is the same list as a file to copy.

- **Strict.** Unknown keys, unknown \`AUTHPLANE_*\` variables and values that cannot be read are errors. All problems are
  printed as one numbered list. A YAML key without a value counts as absent.
- **Durations** carry a unit: \`500ms\`, \`10s\`, \`15m\`, \`168h\`, \`7d\`, also \`1h30m\`; \`0\` needs none.
- **Booleans** are \`true\` or \`false\`; variables may also say \`yes\`, \`no\`, \`1\`, \`0\`.
- **Lists** are YAML lists, or text separated by commas. An empty variable is the empty list.
- A variable that is **set but empty** overrides the file: the setting is then empty.
- **Secrets** can come from a file: \`<ENV>_FILE\` in the environment, \`<key>_file\` in YAML. The last line break of the
  file is dropped.
- **Localhost** means an issuer on exactly \`localhost\`, \`127.0.0.1\` or \`[::1]\`. Anywhere else the server refuses to
  start without an https issuer, \`session.secret\` (32 characters), \`session.secure\`, \`admin.api_key\`
  (16 characters) and PostgreSQL, or with a well-known secret.
- **Reserved** settings have no effect in this release, also where the default is \`true\`: they are accepted and checked,
  and take effect with a later one.
`;

/** The reference page, \`docs/configuration.md\`. */
export function renderReference(): string {
  const sections = sectionsOf(settingsOf(ConfigSchema));
  const tables = sections.map(([name, settings]) => `## ${name}\n\n${reservedNote(settings)}${table(settings)}\n`);
  const lists = settingsOf(ConfigSchema).flatMap((setting) => entryTable(setting));
  return [introduction, ...tables, ...lists].join('\n');
}

/** Settings by the first step of their path; those without a group are one section, "Top level". */
export function sectionsOf(settings: readonly Setting[]): [name: string, settings: Setting[]][] {
  const sections = new Map<string, Setting[]>();
  for (const setting of settings) {
    const name = setting.path.length > 1 ? (setting.path[0] ?? '') : 'Top level';
    sections.set(name, [...(sections.get(name) ?? []), setting]);
  }
  return [...sections];
}

const reservedNote = (settings: readonly Setting[]) =>
  settings.every(({ reserved }) => reserved)
    ? 'Reserved: no effect in this release. The settings are accepted and checked, for a later one.\n\n'
    : '';

function table(settings: readonly Setting[]): string {
  const allReserved = settings.every(({ reserved }) => reserved);
  const rows = settings.map((setting) => {
    const { key, env, kind, description, reserved } = setting;
    // Under a heading that says so, one whose default seems to say otherwise says it again.
    const unclear = !allReserved || setting.fallback === true;
    const note = reserved && unclear ? ' *Reserved: no effect in this release.*' : '';
    return `| \`${key}\` | ${env ? `\`${env}\`` : '–'} | ${kind} | ${fallbackText(setting)} | ${description}${note} |`;
  });
  return ['| Key | Variable | Type | Default | Meaning |', '|---|---|---|---|---|', ...rows].join('\n');
}

/** The members of an entry of `resources` and its like, in a table of their own. */
function entryTable({ key, schema }: Setting): string[] {
  const element = elementOf(schema);
  if (!element) return [];
  const members = settingsOf(element).flatMap((member) => {
    const inner = elementOf(member.schema);
    return inner ? settingsOf(inner, [`${member.key}[]`]) : [member];
  });
  const rows = members.map(
    (member) => `| \`${member.key}\` | ${member.kind} | ${fallbackText(member)} | ${member.description} |`,
  );
  return [
    `## Entries of ${key}\n\n${seedNotes[key] ?? ''}${['| Key | Type | Default | Meaning |', '|---|---|---|---|', ...rows].join('\n')}\n`,
  ];
}

const seedNotes: Readonly<Record<string, string>> = {
  resources: `One \`mint\` resource can come from the environment: \`AUTHPLANE_RESOURCE_URI\` and, separated by commas,
\`AUTHPLANE_RESOURCE_SCOPES\`. Its slug is made from the host. When the file has a resource of that URI, the scopes
replace those of the file.\n\n`,
  broker_providers: `One provider can come from the environment: \`AUTHPLANE_BROKER_PROVIDER_\` followed by \`SLUG\`, \`DISPLAY_NAME\`,
\`PROTOCOL\`, \`CLIENT_ID\`, \`CLIENT_SECRET_REF\`, \`AUTHORIZE_URL\`, \`TOKEN_URL\` or \`RESPONSE_FORMAT\`. It is merged into
the entry of the same slug.\n\n`,
};

function fallbackText({ fallback }: Setting): string {
  if (fallback === undefined) return '–';
  if (Array.isArray(fallback)) return fallback.length === 0 ? 'empty' : `\`${fallback.join(', ')}\``;
  if (typeof fallback === 'object') return 'empty';
  return `\`${String(fallback)}\``;
}
