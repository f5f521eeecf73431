/** Lays out a frame: one column of blocks on a narrow terminal, two on a wide one, everything where there is no terminal. */
import stringWidth from 'string-width';
import { cut } from '../cut.ts';
import {
  beside,
  type Cell,
  type Column,
  columnsOf,
  fit,
  type Line,
  type Paint,
  type Row,
  type Style,
} from './columns.ts';
import type { Count, Flow, Frame, PodLine } from './frame.ts';
import { count, latency, percent, plain, rate, size, span } from './words.ts';

export type Space = {
  columns: number;
  /** Without it everything is shown. */
  rows?: number;
};

const wideFrom = 124;
const none: Line = { text: '', width: 0 };
/** Most rows that pods, and the tokens above the denials, take of a terminal. */
const share = 1 / 3;

export const renderPage = (frame: Frame, { columns, rows }: Space, paint: Paint, hint = ''): string[] => {
  const head = [title(frame, columns, paint, hint), ...totals(frame, columns, paint), none];
  const pods = podBlock(frame, columns, paint);
  const isWide = columns >= wideFrom;
  const half = Math.floor(columns * (isWide ? 0.6 : 0.5));
  const sides = isWide ? columns - half - 2 : half - 2;
  const tokens = countBlock('TOKENS', frame.tokens, isWide ? sides : half - 2, paint);
  const denials = countBlock('DENIALS', frame.denials, isWide ? sides : columns - half, paint);
  const endpoints = endpointBlock(frame, isWide ? half - 2 : columns, paint);

  const least = 3;
  const room = rows === undefined ? Number.POSITIVE_INFINITY : rows - head.length;
  const podRows = Math.min(pods.length, Math.max(least, Math.floor(room * share)));
  const above = [...head, ...fit(pods, podRows, paint), none];
  const rest = room - podRows - 1;
  if (isWide) {
    const tokenRows = Math.min(tokens.length, Math.max(least, Math.floor(rest * share)));
    const right = [...fit(tokens, tokenRows, paint), none, ...fit(denials, rest - tokenRows - 1, paint)];
    return texts([...above, ...beside(fit(endpoints, rest, paint), right, half)], rows);
  }
  const most = Math.max(least, rest - Math.min(endpoints.length, Math.ceil(rest / 2)) - 1);
  const counts = beside(fit(tokens, most, paint), fit(denials, most, paint), half);
  return texts([...above, ...fit(endpoints, rest - counts.length - 1, paint), none, ...counts], rows);
};

const texts = (lines: readonly Line[], rows = lines.length): string[] => lines.slice(0, rows).map(({ text }) => text);

const title = ({ at, pods, window_seconds: window }: Frame, width: number, paint: Paint, hint: string): Line => {
  const up = pods.filter(({ status }) => status === 'up').length;
  const of = `${up} of ${pods.length} ${pods.length === 1 ? 'pod' : 'pods'} up`;
  const style: Style = up === pods.length ? 'green' : 'red';
  const when = `${at.slice(11, 19)} UTC`;
  const rates = window === undefined ? 'no rates yet' : `rates of ${span(Math.max(1, Math.round(window)))}`;
  return sentence([{ text: 'authserver', style: 'bold' }, { text: of, style }, rates, when, hint], width, paint);
};

const totals = ({ requests, active, reuse, purge }: Frame, width: number, paint: Paint): Line[] => {
  const reused = reuse.refresh_tokens + reuse.codes;
  return [
    sentence(
      [
        { text: `${rate(requests.per_second)} requests/s`, style: 'bold' },
        `p50 ${latency(requests.p50_seconds)}`,
        `p99 ${latency(requests.p99_seconds)}`,
        `4xx ${rate(requests.client_errors_per_second)}/s`,
        alarmed(`5xx ${rate(requests.server_errors_per_second)}/s`, requests.server_errors_per_second, 'red'),
        alarmed(`limited ${rate(requests.rate_limited_per_second)}/s`, requests.rate_limited_per_second, 'yellow'),
      ],
      width,
      paint,
    ),
    sentence(
      [
        `clients ${count(active.clients)}`,
        `families ${count(active.token_families)}`,
        alarmed(`reuse ${count(reuse.refresh_tokens)} refresh ${count(reuse.codes)} code`, reused, 'red'),
        `purge lag ${span(purge?.lag_seconds)}${purge && purge.lag_seconds >= 1 ? ` (${plain(purge.target)})` : ''}`,
      ],
      width,
      paint,
    ),
  ];
};

/** Parts with two spaces between them, as many as there is room for. */
const sentence = (parts: readonly Cell[], width: number, paint: Paint): Line => {
  const shown: string[] = [];
  let used = -2;
  for (const part of parts) {
    const { text, style } = typeof part === 'string' ? { text: part, style: undefined } : part;
    if (text === '') continue;
    const fitting = cut(text, Math.max(0, width - used - 2));
    if (fitting !== text) break;
    used += stringWidth(text) + 2;
    shown.push(style ? paint(style, text) : text);
  }
  return { text: shown.join('  '), width: Math.max(0, used) };
};

const alarmed = (text: string, value: number | undefined, style: Style): Cell => (value ? { text, style } : text);

const podColumns: Column[] = [
  { title: 'POD', cutAt: 'start' },
  { title: 'UP', right: true },
  { title: 'REQ/S', right: true },
  { title: 'P99', right: true },
  { title: 'LOOP', right: true },
  { title: 'MEMORY', right: true },
  { title: 'BEHIND', right: true },
  { title: 'CHANNELS' },
  { title: 'VERSION' },
];

/** Above that, requests wait for each other. */
const busyLoop = 0.85;

/** Those that are down come first. */
const podBlock = ({ at, pods }: Frame, width: number, paint: Paint): Line[] =>
  columnsOf(
    podColumns,
    pods
      .toSorted(
        (one, other) =>
          one.status.localeCompare(other.status) || one.pod.localeCompare(other.pod, 'en', { numeric: true }),
      )
      .map((pod) => podRow(pod, at)),
    width,
    paint,
  );

const podRow = (pod: PodLine, at: string): Row => {
  if (pod.status === 'down') {
    const seconds = (Date.parse(at) - Date.parse(pod.since)) / 1000;
    const text = `DOWN for ${span(seconds)}, since ${pod.since.slice(11, 19)}: ${plain(pod.reason)}`;
    return { cells: [{ text: plain(pod.pod), style: 'red' }], note: { text, style: 'red' } };
  }
  const { event_loop_busy: busy, changes_behind: behind, channels_down: down, channels_up: up } = pod;
  const channels = down.length > 0 ? `no ${down.join(', ')}` : up.length > 0 ? 'ok' : '';
  return [
    plain(pod.pod),
    span(pod.uptime_seconds),
    rate(pod.requests_per_second),
    latency(pod.p99_seconds),
    alarmed(percent(busy), busy !== undefined && busy > busyLoop ? busy : 0, 'yellow'),
    size(pod.memory_bytes),
    alarmed(count(behind), behind, 'yellow'),
    alarmed(plain(channels), down.length, 'yellow'),
    plain(pod.version ?? ''),
  ];
};

const endpointColumns: Column[] = [
  { title: 'ENDPOINT', cutAt: 'end' },
  { title: 'REQ/S', right: true },
  { title: 'P50', right: true },
  { title: 'P99', right: true },
  { title: '4XX/S', right: true },
  { title: '5XX/S', right: true },
];

const endpointBlock = ({ endpoints }: Frame, width: number, paint: Paint): Line[] =>
  columnsOf(
    endpointColumns,
    endpoints.map(({ path, ...flow }: { path: string } & Flow) => [
      plain(path),
      rate(flow.per_second),
      latency(flow.p50_seconds),
      latency(flow.p99_seconds),
      rate(flow.client_errors_per_second),
      alarmed(rate(flow.server_errors_per_second), flow.server_errors_per_second, 'red'),
    ]),
    width,
    paint,
  );

const countBlock = (title: string, counts: readonly Count[], width: number, paint: Paint): Line[] =>
  columnsOf(
    [
      { title, cutAt: 'end' },
      { title: '/S', right: true },
      { title: 'SEEN', right: true },
    ],
    counts.length === 0
      ? [['none seen']]
      : counts.map(({ name, per_second, seen }) => [
          plain(name.replace('urn:ietf:params:oauth:grant-type:', '')),
          rate(per_second),
          count(seen),
        ]),
    width,
    paint,
  );
