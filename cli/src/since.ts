import { usageFailure } from './failure.ts';

const secondsPerUnit: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/**
 * The moment a flag such as `--since` means, as the admin API wants it (RFC 3339): `24h`, `7d` or `1d12h` before `now`.
 * A timestamp is taken as it is. How far back one may look, the server decides.
 *
 * @throws {CommandFailure} usage
 */
export const parseSince = (value: string, now: Date, flag = '--since'): string => {
  const trimmed = value.trim();
  if (/^\d{4}-\d{2}-\d{2}T\S+$/.test(trimmed)) return trimmed;
  if (!/^(\d+(\.\d+)?[smhdw])+$/.test(trimmed))
    throw usageFailure(`${flag} expects a span such as 24h or 7d, or an RFC 3339 timestamp`);
  const seconds = [...trimmed.matchAll(/(\d+(?:\.\d+)?)([smhdw])/g)]
    .map(([, amount, unit = '']) => Number(amount) * (secondsPerUnit[unit] ?? 0))
    .reduce((sum, part) => sum + part, 0);
  const moment = new Date(now.getTime() - seconds * 1000);
  if (Number.isNaN(moment.getTime())) throw usageFailure(`${flag} is too long ago`);
  return moment.toISOString();
};
