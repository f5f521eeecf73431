import { VaultError, type VaultFailure } from './errors.ts';

/** The members of Vault's answers that we read. */
export type VaultAnswer = {
  data: Record<string, unknown> | undefined;
  auth: Record<string, unknown> | undefined;
};

const nothing: VaultAnswer = { data: undefined, auth: undefined };

/** @throws {VaultError} unless it is what was asked for; `what` begins its message */
export const readAnswer = (what: string, status: number, text: string): VaultAnswer => {
  if (status === 204) return nothing;
  const body = readJson(text);
  const errors = errorsOf(body);
  // A key that does not exist is 404 without a word; a mount that does not exist is one with a word about it.
  if (status === 404 && body !== undefined && errors === '') return nothing;
  const failure = failureOf(status, errors);
  if (failure) throw new VaultError(failure, `${what}: ${status}${errors === '' ? '' : ` ${errors}`}`);
  if (body === undefined) throw new VaultError('unavailable', `${what}: ${status}, but the answer is not Vault's`);
  return { data: asObject(body.data), auth: asObject(body.auth) };
};

const failureOf = (status: number, errors: string): VaultFailure | undefined => {
  if (status >= 200 && status < 300) return undefined;
  if (status === 401 || status === 403) return 'denied';
  // 412: not replicated yet; 429: a quota; 472, 473: standby; 307: a standby that wants us to ask somebody else.
  if (status < 400 || [408, 412, 429, 472, 473].includes(status)) return 'unavailable';
  // Some releases call a value that was tampered with their own fault.
  if (status < 500 || errors.includes('message authentication failed')) return 'refused';
  return 'unavailable';
};

/** At most so much of what Vault says goes into a message. */
const longestErrors = 300;

const errorsOf = (body: Record<string, unknown> | undefined): string => {
  const errors = Array.isArray(body?.errors) ? body.errors.filter((error) => typeof error === 'string') : [];
  return errors.join('; ').replace(/\s+/g, ' ').trim().slice(0, longestErrors);
};

const readJson = (text: string): Record<string, unknown> | undefined => {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined;
  }
};

const asObject = (value: unknown): Record<string, unknown> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
