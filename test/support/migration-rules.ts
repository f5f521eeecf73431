/**
 * What a migration may do while the release before it still serves: expand, and not contract. docs/upgrades.md says why.
 *
 * A statement that takes something away carries the release that stopped using it in the comment before it:
 *
 *   -- contract: unused since 0.3.0
 *   alter table clients drop column old_name;
 */
export type Breach = { statement: string; rule: string; unusedSince: string | undefined };

const marker = /--\s*contract: unused since (\d+\.\d+\.\d+)/;

/** Patterns over one statement, in lower case and on one line. */
const rules: [rule: string, pattern: RegExp][] = [
  ['drops something', /^drop (table|view|materialized view|function|procedure|type|sequence|schema|trigger)\b/],
  ['drops a column', /^alter table .*\bdrop column\b/],
  ['renames', /^alter (table|view|index|function|type|sequence) .*\brename\b/],
  ['changes a type', /^alter table .*\balter (column )?\S+ (set data )?type\b/],
  ['forbids null', /^alter table .*\balter (column )?\S+ set not null\b/],
  ['takes a default away', /^alter table .*\balter (column )?\S+ drop default\b/],
  [
    'demands what earlier releases do not give',
    /^alter table .*\badd (constraint|check|unique|foreign key|primary key|exclude)\b/,
  ],
  ['demands uniqueness', /^create unique index\b/],
  ['deletes rows', /^(delete from|truncate)\b/],
];

/** The breaches of one file. Tables that it makes itself are nobody's yet, and it may do with them what it likes. */
export const breachesOf = (sql: string): Breach[] => {
  const statements = splitStatements(sql);
  const own = new Set(
    statements.flatMap(({ text }) => /^create table (?:if not exists )?"?(\w+)"?/.exec(text)?.[1] ?? []),
  );
  const altered = new Set<string>();
  return statements.flatMap(({ text, comment }) => {
    const table = tableOf(text);
    if (table !== undefined && own.has(table)) return [];
    const unusedSince = marker.exec(comment)?.[1];
    const found = rules.filter(([, pattern]) => pattern.test(text)).map(([rule]) => rule);
    if (addsDemandingColumn(text)) found.push('adds a column that earlier releases leave empty');
    if (table !== undefined && text.startsWith('alter table')) altered.add(table);
    if (table !== undefined && altered.size > 1 && text.startsWith('alter table'))
      found.push('locks a second table, so that it and requests may wait for each other');
    return found.map((rule) => ({ statement: text.slice(0, 120), rule, unusedSince }));
  });
};

const tableOf = (text: string): string | undefined =>
  /^alter table (?:if exists )?(?:only )?"?(\w+)"?/.exec(text)?.[1] ??
  /^create unique index .*? on (?:only )?"?(\w+)"?/.exec(text)?.[1] ??
  /^(?:delete from|truncate(?: table)?) (?:only )?"?(\w+)"?/.exec(text)?.[1];

/** `add column … not null` without a default: an insert of an earlier release does not name it. */
const addsDemandingColumn = (text: string): boolean =>
  text.startsWith('alter table') &&
  text
    .split(/\badd column\b/)
    .slice(1)
    .some((column) => /(?<!\bis )\bnot null\b/.test(column) && !/\b(default|generated)\b/.test(column));

type Statement = { text: string; comment: string };

/** Statements in lower case on one line each, with the comments that stand before them; bodies of functions left out. */
const splitStatements = (sql: string): Statement[] => {
  const statements: Statement[] = [];
  let text = '';
  let comment = '';
  const token = /--[^\n]*|\/\*[\s\S]*?\*\/|\$(\w*)\$[\s\S]*?\$\1\$|'(?:[^']|'')*'|;|[^;$'/-]+|[\s\S]/g;
  for (const [part] of sql.matchAll(token)) {
    if (part.startsWith('--') || part.startsWith('/*')) {
      if (text.trim() === '') comment += `${part}\n`;
    } else if (part === ';') {
      statements.push({ text: text.replaceAll(/\s+/g, ' ').trim().toLowerCase(), comment });
      text = '';
      comment = '';
    } else text += part.startsWith('$') && part.length > 1 ? ' $body$ ' : part;
  }
  if (text.trim() !== '') statements.push({ text: text.replaceAll(/\s+/g, ' ').trim().toLowerCase(), comment });
  return statements;
};
