/** Who acts for the subject of a token, and within it who acted before (RFC 8693 §4.1). The outermost acts now. */
export type Actor = { sub: string; act?: Actor | undefined; [member: string]: unknown };

/** The `sub` of each actor, the present one first. */
export const actorsOf = (act: Actor | undefined): string[] => {
  const subjects: string[] = [];
  for (let actor = act; actor; actor = actor.act) subjects.push(actor.sub);
  return subjects;
};

/** The same in the order in which they acted, as `agent_chain` has it. */
export const agentChainOf = (act: Actor | undefined): string[] => actorsOf(act).reverse();
