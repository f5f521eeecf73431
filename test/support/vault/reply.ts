import { randomUUID } from 'node:crypto';

export type Reply = { status: number; body?: Record<string, unknown> };
export type Body = Record<string, unknown>;

const envelope = () => ({
  request_id: randomUUID(),
  lease_id: '',
  renewable: false,
  lease_duration: 0,
  data: null as unknown,
  wrap_info: null,
  warnings: null as unknown,
  auth: null as unknown,
});

export const data = (value: Record<string, unknown>): Reply => ({ status: 200, body: { ...envelope(), data: value } });
export const auth = (value: Record<string, unknown>, warnings: string[] = []): Reply => ({
  status: 200,
  body: { ...envelope(), auth: value, warnings: warnings.length > 0 ? warnings : null },
});
export const empty: Reply = { status: 204 };
export const errors = (status: number, ...messages: string[]): Reply => ({ status, body: { errors: messages } });
export const missing: Reply = errors(404);

/** Vault takes durations as seconds or as text such as `10m`. */
export const toSeconds = (value: unknown): number => {
  if (typeof value === 'number') return value;
  const [, amount = '0', unit] = /^(\d+)([smh]?)$/.exec(String(value ?? '0')) ?? [];
  return Number(amount) * (unit === 'h' ? 3600 : unit === 'm' ? 60 : 1);
};

export const toList = (value: unknown): string[] =>
  Array.isArray(value) ? value.map(String) : typeof value === 'string' && value !== '' ? value.split(',') : [];
