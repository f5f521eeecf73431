/**
 * The states of a signing key and the moves between them, for every store: `next → current → retiring → gone`.
 *
 * A verifier may hold a copy of the JWKS for `JWKS_MAX_AGE_SECONDS`. So a key is published that long before it signs,
 * and stays published until the last token it signed has expired. Each rotation obeys both, so any number of them in
 * a row breaks no live token.
 *
 * A changed algorithm reaches the ring through the new `next`; it signs from the rotation after. With `force` the
 * waiting key of the old algorithm, which never signed anything, is discarded and a new key signs at once. Verifiers
 * that do not fetch the JWKS again on an unknown `kid` then refuse new tokens until their copy expires.
 */
import { KeyInUseError, KeyTooYoungError } from './errors.ts';
import type { KeyRecord, KeyState, RetireOptions, RotateOptions, Rotation, SigningAlgorithm } from './key-store.ts';

/** `max-age` of the JWKS response, and hence the time a key must be published before it signs. */
export const JWKS_MAX_AGE_SECONDS = 300;

/** Added to the longest token lifetime before a retiring key is gone: clock skew, and instances that reload late. */
export const RETIREMENT_MARGIN_SECONDS = 300;

/**
 * How long a process may go on signing after it last read the ring. A key that was retired just after that stays published
 * for `RETIREMENT_MARGIN_SECONDS` longer than a token lives, so what such a process signs can be verified to its end; a
 * minute of it is for clocks that differ.
 */
export const SIGN_UNCONFIRMED_SECONDS = RETIREMENT_MARGIN_SECONDS - 60;

export interface RotationPolicy {
  /** Longest lifetime of any token these keys sign, as configured when the rotation happens. */
  readonly maxTokenLifetimeSeconds: number;
}

export interface RotationPlan {
  /** The ring after the rotation, without the keys still to be made. */
  readonly kept: KeyRecord[];
  /** States of the keys to be made. */
  readonly missing: KeyState[];
  /** Keys whose private part can be deleted. */
  readonly dropped: KeyRecord[];
}

/** Whether no live token can carry this key's signature any more. */
export const isGone = (record: KeyRecord, now: Date): boolean =>
  record.goneAfter !== undefined && now.getTime() > record.goneAfter.getTime();

/**
 * Decides one rotation; pure. `nextUsable: false` says the private part of `next` is lost: with `force` it is
 * discarded like one of the wrong algorithm, without it the store is expected to refuse.
 *
 * @throws {KeyTooYoungError} when `next` may not sign yet and `force` is not set
 */
export function planRotation(
  records: readonly KeyRecord[],
  options: RotateOptions & { readonly nextUsable?: boolean },
  policy: RotationPolicy,
): RotationPlan {
  const { now, algorithm, force = false, nextUsable = true } = options;
  const next = requireState(records, 'next');
  const current = requireState(records, 'current');
  if (!force) requirePublishedLongEnough(next, now);

  // Of two rotations at once, the one that was asked for first may be the one that had to wait.
  const at = current.activatedAt && current.activatedAt > now ? current.activatedAt : now;

  const discardNext = force && (next.alg !== algorithm || !nextUsable);
  const retiring = records.filter((record) => record.state === 'retiring');
  const promoted: KeyRecord[] = discardNext ? [] : [{ ...next, state: 'current', activatedAt: at }];

  return {
    kept: [...promoted, retireRecord(current, at, policy), ...retiring.filter((record) => !isGone(record, now))],
    missing: discardNext ? ['current', 'next'] : ['next'],
    dropped: [...(discardNext ? [next] : []), ...retiring.filter((record) => isGone(record, now))],
  };
}

/** When the next key may sign: every verifier's copy of the JWKS has it by then. */
export const signsFrom = ({ createdAt }: Pick<KeyRecord, 'createdAt'>): Date =>
  new Date(createdAt.getTime() + JWKS_MAX_AGE_SECONDS * 1000);

/**
 * Decides whether a key can be forgotten; pure. Undefined when there is none with this `kid`.
 *
 * @throws {KeyInUseError} when it is current or next, or, without `force`, when tokens it signed may still live
 */
export function planRetirement(
  records: readonly KeyRecord[],
  kid: string,
  { now, force = false }: RetireOptions,
): KeyRecord | undefined {
  const found = records.find((record) => record.kid === kid);
  if (!found) return undefined;
  const isOfUse = found.state !== 'retiring' || (!force && !isGone(found, now));
  if (isOfUse) throw new KeyInUseError(kid, found.state, found.goneAfter);
  return found;
}

/** Whether the current key has signed since `moment` or longer. */
export const isCurrentSince = (records: readonly KeyRecord[], moment: Date): boolean =>
  (requireState(records, 'current').activatedAt ?? moment) <= moment;

/** How many rotations it takes until keys of this algorithm sign, and go on to. */
export const rotationsUntil = (records: readonly KeyRecord[], algorithm: SigningAlgorithm): 0 | 1 | 2 => {
  if (requireState(records, 'next').alg !== algorithm) return 2;
  return requireState(records, 'current').alg === algorithm ? 0 : 1;
};

/** The answer to a rotation that found it was not time. */
export const notRotated = (records: readonly KeyRecord[]): Rotation => {
  const { kid, alg } = requireState(records, 'current');
  return { kid, alg, previous: kid, records };
};

/** The record of a key just made. */
export function newRecord(
  { kid, alg, publicJwk }: Pick<KeyRecord, 'kid' | 'alg' | 'publicJwk'>,
  state: KeyState,
  now: Date,
): KeyRecord {
  return { kid, alg, state, publicJwk, createdAt: now, ...(state === 'current' ? { activatedAt: now } : {}) };
}

/** The one key in this state. A ring without it is broken, which its store should have noticed when reading. */
export function requireState(records: readonly KeyRecord[], state: 'next' | 'current'): KeyRecord {
  const found = records.find((record) => record.state === state);
  if (!found) throw new Error(`The key ring has no ${state} key.`);
  return found;
}

function requirePublishedLongEnough(next: KeyRecord, now: Date): void {
  const msLeft = signsFrom(next).getTime() - now.getTime();
  if (msLeft > 0) throw new KeyTooYoungError(next.kid, Math.ceil(msLeft / 1000));
}

/** A current key that becomes `retiring` now. */
export function retireRecord(current: KeyRecord, now: Date, policy: RotationPolicy): KeyRecord {
  const keptSeconds = policy.maxTokenLifetimeSeconds + RETIREMENT_MARGIN_SECONDS;
  return { ...current, state: 'retiring', retiredAt: now, goneAfter: new Date(now.getTime() + keptSeconds * 1000) };
}
