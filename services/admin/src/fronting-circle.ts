/** From where to where a link leads. */
export type Edge = { source: string; target: string };

/**
 * The way round that a new edge would close, from its source back to it, or `undefined` when it closes none. Found
 * breadth first, so it is the shortest there is.
 */
export const circleClosedBy = ({ source, target }: Edge, edges: readonly Edge[]): string[] | undefined => {
  const ways: string[][] = [[target]];
  const seen = new Set<string>();
  for (let way = ways.shift(); way !== undefined; way = ways.shift()) {
    const end = way.at(-1) as string;
    if (end === source) return [source, ...way];
    if (seen.has(end)) continue;
    seen.add(end);
    for (const edge of edges) if (edge.source === end) ways.push([...way, edge.target]);
  }
  return undefined;
};
