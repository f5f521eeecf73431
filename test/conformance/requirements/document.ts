/** The word of the document itself. */
const levels = ['MUST', 'MUST NOT', 'SHOULD', 'SHOULD NOT', 'MAY', '-'] as const;

/**
 * What the MCP authorization specification makes of it: `M` mandatory, `m` mandatory once the optional feature is
 * offered, `S` recommended, `-` MCP is silent and it counts because we offer that standard.
 */
const weights = ['M', 'm', 'S', '-'] as const;

export type Requirement = {
  id: string;
  level: (typeof levels)[number];
  weight: (typeof weights)[number];
  section: string;
  text: string;
};

export type StandardDocument = { prefix: string; title: string; url: string; rows: readonly Requirement[] };

/** Reads a table of `number | weight | level | section | requirement`, a row a line. */
export const standardDocument = (prefix: string, title: string, url: string, table: string): StandardDocument => ({
  prefix,
  title,
  url,
  rows: table
    .trim()
    .split('\n')
    .map((line) => {
      const [number = '', weight = '', level = '', section = '', text = '', ...rest] = line
        .split('|')
        .map((cell) => cell.trim());
      const requirement = { id: `${prefix}-${number}`, level, weight, section, text };
      if (rest.length > 0 || text === '' || !isRequirement(requirement)) throw new Error(`${prefix}: ${line}`);
      return requirement;
    }),
});

const isRequirement = (row: Record<keyof Requirement, string>): row is Requirement =>
  /^[A-Z][A-Z0-9]+-\d\d$/.test(row.id) &&
  (levels as readonly string[]).includes(row.level) &&
  (weights as readonly string[]).includes(row.weight);
