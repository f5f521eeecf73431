/** What a request is about, as far as faults make a difference. */
export const requestKinds = [
  'page',
  'consent',
  'code',
  'refresh',
  'machine',
  'dpop',
  'introspect',
  'revoke',
  'register',
  'metadata',
  'admin',
] as const;
export type RequestKind = (typeof requestKinds)[number];

/** Something that is wrong on purpose, and which requests may fail of it. Everything else must not notice. */
export type Disturbance = {
  name: string;
  /** Kinds of requests that may be refused with 503, or lose their answer. */
  affects: readonly RequestKind[];
  /** The pods it happens to; all of them unless said. */
  pods?: readonly string[];
  /** Changes and keys reach those pods all the same, and in time. */
  hears?: boolean;
  /** Only who asks one of these pods directly may notice: the balancer is to look elsewhere. */
  doorsOnly?: boolean;
  /** More is wrong than anybody promises to bear: honest requests may be refused, while nothing may be given too much. */
  excusesRefusals?: boolean;
};

type Window = Disturbance & { from: number; to: number };

export type Disturbances = {
  /** Begins now, and lasts until the function it returns is called and `tailMs` more, the time to recover. */
  begin(disturbance: Disturbance, tailMs: number): () => void;
  /** Notes one that was found out about later. */
  note(disturbance: Disturbance, from: number, to: number): void;
  /** Whether a request of this kind may have failed between the two moments; `pod` is the one that was asked directly. */
  allows(kind: RequestKind, pod: string | undefined, from: number, to: number): boolean;
  /** Whether an honest request may have been refused between the two moments. */
  excusesRefusals(from: number, to: number): boolean;
  /** Whether this pod may have been unable to work, or to hear, at any time since. */
  touched(pod: string, since: number): boolean;
  active(): string[];
};

/** What every request to a token pod needs that does more than read what is in memory. */
export const needsDatabase: readonly RequestKind[] = requestKinds.filter((kind) => kind !== 'metadata');

/** Times are those of `performance.now()`. */
export const createDisturbances = (): Disturbances => {
  const windows: Window[] = [];
  return {
    begin(disturbance, tailMs) {
      const window: Window = { ...disturbance, from: performance.now(), to: Number.POSITIVE_INFINITY };
      windows.push(window);
      return () => {
        window.to = performance.now() + tailMs;
      };
    },
    note(disturbance, from, to) {
      windows.push({ ...disturbance, from, to });
    },
    allows: (kind, pod, from, to) =>
      windows.some(
        (window) =>
          window.affects.includes(kind) &&
          window.from <= to &&
          window.to >= from &&
          (pod === undefined ? !window.doorsOnly : window.pods === undefined || window.pods.includes(pod)),
      ),
    excusesRefusals: (from, to) =>
      windows.some((window) => window.excusesRefusals && window.from <= to && window.to >= from),
    touched: (pod, since) =>
      windows.some(({ to, pods, hears }) => !hears && to >= since && (pods === undefined || pods.includes(pod))),
    active: () => windows.filter(({ to }) => to > performance.now()).map(({ name }) => name),
  };
};

/** What must be seen once, which Redis remembers where there is one. */
export const needsSingleUse: readonly RequestKind[] = ['dpop', 'consent'];

/** What takes a signature, and the control plane, which makes keys. */
export const needsSigning: readonly RequestKind[] = ['code', 'refresh', 'machine', 'dpop', 'admin'];

/** Everything that is asked of a token pod. */
export const publicKinds: readonly RequestKind[] = requestKinds.filter((kind) => kind !== 'admin');
