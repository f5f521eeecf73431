export type Labels = Readonly<Record<string, string>>;

/** A state for each combination of label values. */
export type Series<State> = {
  /** The state under these labels, begun now if there was none. */
  find(labels: Labels): State;
  /** Those there are, in the order in which they appeared. */
  readonly all: readonly { labels: Labels; state: State }[];
};

class Branch<State> {
  readonly byValue = new Map<string, Branch<State>>();
  state: State | undefined;
}

const grow = <State>(branch: Branch<State>, value: string): Branch<State> => {
  const next = new Branch<State>();
  branch.byValue.set(value, next);
  return next;
};

/** Found by one step for each label: a key made of all of them would cost a request more than what it counts. */
export const createSeries = <State>(labelNames: readonly string[], begin: () => State): Series<State> => {
  const root = new Branch<State>();
  const all: { labels: Labels; state: State }[] = [];
  return {
    all,
    find(labels) {
      let branch = root;
      for (const name of labelNames) {
        const value = labels[name] ?? '';
        branch = branch.byValue.get(value) ?? grow(branch, value);
      }
      if (branch.state === undefined) {
        branch.state = begin();
        all.push({ labels: { ...labels }, state: branch.state });
      }
      return branch.state;
    },
  };
};
