/**
 * What a process says about itself to whoever sends it requests. It owns how checks are run: each at most once at a time,
 * each within a bound, their results kept for a moment, so that a flood of probes costs a few statements a second. What is
 * checked belongs to the planes.
 */

/** `degraded` still takes requests: something is away that only some of them need. */
export type CheckResult = { status: 'ok' | 'degraded' | 'failed'; reason?: string };

/** `look` may reject; why it did goes to the log. A `reason` is shown on the internal port and holds no secret. */
export type Check = { name: string; look: () => CheckResult | Promise<CheckResult> };

export type Report = { status: CheckResult['status']; checks: Readonly<Record<string, CheckResult>> };

export type Readiness = { report(): Promise<Report> };

export type ReadinessOptions = {
  /** Asked anew for every report, for checks that come later. */
  checks: () => readonly Check[];
  draining?: () => boolean;
  /** Told when a check has another status than before, with what it threw. */
  onChange?: (name: string, result: CheckResult, error: unknown) => void;
};

/** Longest time one check may take; a probe waits about as long. */
const patienceMs = 900;
/** How long a report is good for. */
const keepMs = 500;

export const ok: CheckResult = { status: 'ok' };
export const failed = (reason: string): CheckResult => ({ status: 'failed', reason });
export const degraded = (reason: string): CheckResult => ({ status: 'degraded', reason });

export const createReadiness = (options: ReadinessOptions): Readiness => {
  const running = new Map<string, Promise<CheckResult>>();
  const known = new Map<string, CheckResult['status']>();
  let latest: { report: Promise<Report>; until: number } | undefined;

  const note = (name: string, result: CheckResult, error?: unknown): CheckResult => {
    if (result.status !== (known.get(name) ?? 'ok')) options.onChange?.(name, result, error);
    known.set(name, result.status);
    return result;
  };

  /** One that hangs is waited for again, and not started a second time: it may hold a connection. */
  const run = ({ name, look }: Check): Promise<CheckResult> => {
    const pending =
      running.get(name) ??
      Promise.resolve()
        .then(look)
        .then(
          (result) => note(name, result),
          (error: unknown) => note(name, failed('does not answer'), error),
        )
        .finally(() => running.delete(name));
    running.set(name, pending);
    return inTime(pending, () => note(name, failed(`no answer within ${patienceMs} ms`)));
  };

  const look = async (): Promise<Report> => {
    const checks = options.checks();
    const results = await Promise.all(checks.map(run));
    return {
      status: worst(results),
      checks: Object.fromEntries(checks.map(({ name }, index) => [name, results[index] as CheckResult])),
    };
  };

  return {
    async report() {
      // Known at once, and nothing else matters any more.
      if (options.draining?.()) return { status: 'failed', checks: { draining: failed('the process is ending') } };
      if (!latest || performance.now() > latest.until) {
        const begun = { report: look(), until: Number.POSITIVE_INFINITY };
        latest = begun;
        void begun.report.then(() => {
          begun.until = performance.now() + keepMs;
        });
      }
      return latest.report;
    },
  };
};

const worst = (results: readonly CheckResult[]): CheckResult['status'] =>
  (['failed', 'degraded'] as const).find((status) => results.some((result) => result.status === status)) ?? 'ok';

const inTime = async (pending: Promise<CheckResult>, late: () => CheckResult): Promise<CheckResult> => {
  const { promise, resolve } = Promise.withResolvers<CheckResult>();
  const timer = setTimeout(() => resolve(late()), patienceMs);
  return Promise.race([pending, promise]).finally(() => clearTimeout(timer));
};
