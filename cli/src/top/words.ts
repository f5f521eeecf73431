/** Numbers as a person reads them at a glance: short, with their unit, and a dash for what nobody knows. */
import { durationBuckets } from '@authserver/telemetry';

const unknown = '–';

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

export const count = (value: number | undefined): string => (value === undefined ? unknown : grouped.format(value));

/** A second; 0.3, 12, 1,234. */
export const rate = (value: number | undefined): string => {
  if (value === undefined) return unknown;
  if (value === 0) return '0';
  if (value < 0.05) return '<0.1';
  return value < 9.95 ? value.toFixed(1) : grouped.format(value);
};

const longest = durationBuckets.at(-1) ?? 0;

/** A time of a histogram, which does not know how much longer than its last bound something took. */
export const latency = (seconds: number | undefined): string => {
  if (seconds === undefined) return unknown;
  if (seconds >= longest) return `>${longest} s`;
  const ms = seconds * 1000;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${seconds.toFixed(1)} s`;
};

const units = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
] as const;

/** The two largest units: 3d4h, 5m12s, 8s. */
export const span = (seconds: number | undefined): string => {
  if (seconds === undefined) return unknown;
  let rest = Math.max(0, Math.floor(seconds));
  const parts = units.map(([unit, size]) => {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    return { amount, unit };
  });
  const first = parts.findIndex(({ amount }) => amount > 0);
  if (first < 0) return '0s';
  return parts
    .slice(first, first + 2)
    .filter(({ amount }) => amount > 0)
    .map(({ amount, unit }) => `${amount}${unit}`)
    .join('');
};

export const percent = (share: number | undefined): string =>
  share === undefined ? unknown : `${(share * 100).toFixed(0)}%`;

export const size = (bytes: number | undefined): string =>
  bytes === undefined ? unknown : `${grouped.format(bytes / 1024 / 1024)} MB`;

/** What a pod says is shown as it is, unless it could do something to a terminal. */
export const plain = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '�');
