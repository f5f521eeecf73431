/** Reads durations as operators write them: a number and its unit, or several of them in a row ("1h30m"). */

const secondsPerUnit: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 };
const part = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/y;

/** Seconds in `text`, or undefined when it is not a duration. A number needs its unit, except 0. */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed === '0') return 0;
  if (trimmed === '') return undefined;

  let milliseconds = 0;
  part.lastIndex = 0;
  while (part.lastIndex < trimmed.length) {
    const match = part.exec(trimmed); // on a mismatch lastIndex falls back to 0, hence the return
    if (!match) return undefined;
    milliseconds += Number(match[1]) * (secondsPerUnit[match[2] ?? ''] ?? 0) * 1000;
  }
  return Math.round(milliseconds) / 1000;
}
