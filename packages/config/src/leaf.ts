import { z } from 'zod';
import { parseDuration } from './duration.ts';

/**
 * The kinds of settings. Each reads what YAML gives (typed) as well as what the environment gives (text), so both
 * layers have one reader. Messages say what was expected and never repeat the value.
 */

/** What the loader and the reference page know about a setting besides its schema. */
export interface SettingMeta {
  /** Type as the reference page names it. */
  kind: string;
  /** Default as an operator would write it; absent when there is none. */
  fallback?: unknown;
  /** Environment name without `AUTHPLANE_`, where it is not simply the path; false when there is none. */
  env?: string | false;
  /** The value is a secret: also read from `<ENV>_FILE` and `<key>_file`. */
  secret?: boolean;
  /** Accepted and checked, but nothing reads it in this release. */
  reserved?: boolean;
  description?: string;
}

/** Thrown by a reader; becomes a zod issue of the setting. */
class Misread extends Error {}

/** Lets a check inside a reader refuse the value. The message must not repeat it. */
function refuse(message: string): never {
  throw new Misread(message);
}

function reader<T>(read: (raw: unknown) => T) {
  return z.unknown().transform((raw, context): T => {
    try {
      return read(raw);
    } catch (error) {
      if (!(error instanceof Misread)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  });
}

/** Additional check of a value: returns what is wrong with it, or undefined. */
type Check<T> = (value: T) => string | undefined;

function checked<T>(value: T, check: Check<T> | undefined): T {
  const wrong = check?.(value);
  return wrong ? refuse(wrong) : value;
}

function readText(raw: unknown): string {
  if (typeof raw === 'string') return raw.trim();
  return refuse(typeof raw === 'object' ? 'expected text' : 'expected text; put the value in quotes');
}

/** Text with a default; empty is refused. */
export const text = (fallback: string, check?: Check<string>, kind = 'string') =>
  reader((raw) => checked(readText(raw) || refuse('must not be empty'), check))
    .prefault(fallback)
    .meta({ kind, fallback });

/** Text that must be given; only for members of list entries, which have no default. */
export const requiredText = (check?: Check<string>, kind = 'string') =>
  reader((raw) => {
    if (raw === undefined) refuse('is required');
    return checked(readText(raw) || refuse('must not be empty'), check);
  }).meta({ kind: `${kind}, required` });

/** Text without a default; empty means unset. */
export const optionalText = (check?: Check<string>, kind = 'string') =>
  reader((raw) => {
    const value = raw === undefined ? '' : readText(raw);
    return value === '' ? undefined : checked(value, check);
  })
    .optional()
    .meta({ kind });

/** Text that must not be shown. Unlike other text it is kept as it is, spaces included. */
export const secret = (check?: Check<string>) =>
  reader((raw) => {
    if (raw === undefined || raw === '') return undefined;
    if (typeof raw !== 'string') refuse('expected text; put the value in quotes');
    return checked(raw as string, check);
  })
    .optional()
    .meta({ kind: 'secret', secret: true });

/** Whole number within bounds, both included. */
export const integer = (fallback: number, { min = 0, max = Number.MAX_SAFE_INTEGER } = {}) =>
  reader((raw) => {
    const value = typeof raw === 'string' && /^-?\d+$/.test(raw.trim()) ? Number(raw) : raw;
    if (!Number.isSafeInteger(value)) refuse('expected a whole number');
    return within(value as number, min, max);
  })
    .prefault(fallback)
    .meta({ kind: 'integer', fallback });

/** Number within bounds, both included. */
export const decimal = (fallback: number, { min = 0, max = Number.MAX_SAFE_INTEGER } = {}) =>
  reader((raw) => {
    const value = typeof raw === 'string' && /^-?\d+(\.\d+)?$/.test(raw.trim()) ? Number(raw) : raw;
    if (typeof value !== 'number' || !Number.isFinite(value)) refuse('expected a number');
    return within(value as number, min, max);
  })
    .prefault(fallback)
    .meta({ kind: 'number', fallback });

function within(value: number, min: number, max: number): number {
  if (value < min) refuse(`must be at least ${min}`);
  if (value > max) refuse(`must be at most ${max}`);
  return value;
}

const spellings: Readonly<Record<string, boolean>> = {
  true: true,
  1: true,
  yes: true,
  false: false,
  0: false,
  no: false,
};

/** True or false; the environment may also say 1, yes, 0, no, in any case. */
export const flag = (fallback: boolean) =>
  reader((raw): boolean => {
    if (typeof raw === 'boolean') return raw;
    const known =
      typeof raw === 'string' || typeof raw === 'number' ? spellings[String(raw).trim().toLowerCase()] : undefined;
    return known ?? refuse('expected true or false');
  })
    .prefault(fallback)
    .meta({ kind: 'boolean', fallback });

const readDuration = (raw: unknown): number =>
  (typeof raw === 'string' ? parseDuration(raw) : raw === 0 ? 0 : undefined) ??
  refuse('expected a duration with its unit, such as 500ms, 10s, 15m, 168h or 7d');

/** A length of time, in seconds once read. Bounds are written like the value and are both included. */
export const duration = (fallback: string, { min, max }: { min?: string; max?: string } = {}) =>
  reader((raw): number => {
    const seconds = readDuration(raw);
    if (min !== undefined && seconds < (parseDuration(min) ?? 0)) refuse(`must be at least ${min}`);
    if (max !== undefined && seconds > (parseDuration(max) ?? 0)) refuse(`must be at most ${max}`);
    return seconds;
  })
    .prefault(fallback)
    .meta({ kind: 'duration', fallback });

/** A length of time without a default, where the default depends on something else. */
export const optionalDuration = () =>
  reader((raw): number | undefined => (raw === undefined || raw === '' ? undefined : readDuration(raw)))
    .optional()
    .meta({ kind: 'duration' });

/** One of a closed set of words. `reject` gives words that were valid once a message of their own. */
export const choice = <const T extends string>(
  options: readonly T[],
  fallback: NoInfer<T>,
  reject: Readonly<Record<string, string>> = {},
) =>
  reader((raw): T => oneOf(options, raw, reject))
    .prefault(fallback as string)
    .meta({ kind: choiceKind(options), fallback });

/** A choice without a default; empty means unset. */
export const optionalChoice = <const T extends string>(options: readonly T[]) =>
  reader((raw): T | undefined => (raw === undefined || raw === '' ? undefined : oneOf(options, raw)))
    .optional()
    .meta({ kind: choiceKind(options) });

/** A choice that must be made; only for members of list entries. */
export const requiredChoice = <const T extends string>(options: readonly T[]) =>
  reader((raw): T => oneOf(options, raw)).meta({ kind: `${choiceKind(options)}, required` });

const choiceKind = (options: readonly string[]) => options.map((option) => `\`${option}\``).join(' \\| ');

function oneOf<T extends string>(
  options: readonly T[],
  raw: unknown,
  reject: Readonly<Record<string, string>> = {},
): T {
  const word = typeof raw === 'string' ? raw.trim() : '';
  const found = options.find((option) => option === word);
  if (found !== undefined) return found;
  return refuse((Object.hasOwn(reject, word) ? reject[word] : undefined) ?? `expected one of ${options.join(', ')}`);
}

/** A list of texts: a YAML list, or text separated by commas. Entries are trimmed, empty text is the empty list. */
export const list = (fallback: readonly string[], check?: Check<string>) =>
  reader((raw): string[] => {
    const entries = typeof raw === 'string' ? raw.split(',').filter((entry) => entry.trim() !== '') : raw;
    if (!Array.isArray(entries)) return refuse('expected a list, or text separated by commas');
    return entries.map((entry) => checked(readText(entry) || refuse('must not have empty entries'), check));
  })
    .prefault([...fallback])
    .meta({ kind: 'list', fallback });

/** An object kept as it is; its members mean something to another part of the product. */
export const freeObject = (check?: Check<Record<string, unknown>>) =>
  reader((raw): Record<string, unknown> => {
    if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return refuse('expected an object');
    return checked(raw as Record<string, unknown>, check);
  })
    .prefault({})
    .meta({ kind: 'object', fallback: {} });

/** A group of settings. Unknown members are refused; a missing group is a group of defaults. */
export const section = <const Shape extends z.ZodRawShape>(shape: Shape) => z.strictObject(shape).prefault({} as never);
