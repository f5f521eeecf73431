/**
 * Remembers every token it was told of, and what was ended. Nothing is ended at a moment: between the request that ends
 * it and the answer that confirms it nobody can tell, and the ledger says so.
 */
import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { Random } from './random.ts';

/** What tokens are ended together by: `token:…`, `family:…`, `client:…`, `user:…`. */
export type Group = `${'token' | 'family' | 'client' | 'user'}:${string}`;

export type KnownToken = {
  token: string;
  jti: string;
  kid: string;
  /** Seconds since 1970, as the token has it. */
  issuedAt: number;
  expiresAt: number;
  groups: readonly Group[];
  /** When it was asked for, and when it came, by `performance.now()`. */
  askedAt: number;
  cameAt: number;
};

/**
 * `all`: whatever carries the name is dead, also what was under way. `earlier`: what was asked for before; the name lives
 * on, as that of a user who is logged out.
 */
export type EndingScope = 'all' | 'earlier';

type Ending = {
  scope: EndingScope;
  attemptedAt: number;
  confirmedAt: number | undefined;
  reopenedAt?: number;
  isDoubt?: boolean;
};

/** What introspection must say; `unknown` when either answer is right. */
export type Fate = 'live' | 'dead' | 'unknown';

export type Ledger = {
  add(token: string, groups: readonly Group[], askedAt: number): KnownToken;
  /** To be called before it is asked for; the function it returns, when the answer has confirmed it. */
  ending(group: Group, scope: EndingScope): () => void;
  /** It may end at any time from now on, or never: a request that may end it is under way. */
  doubt(group: Group): void;
  isInDoubt(group: Group): boolean;
  /** Tokens that nothing but a doubt may have ended. */
  doubted(): KnownToken[];
  /** Once nothing is under way any more: what was in doubt has ended, or lives. */
  settle(token: KnownToken, ended: boolean): void;
  /** What was ended with scope `all` is alive again, from the answer that confirms it. */
  reopening(group: Group): () => void;
  /** What must be said to a question that is asked at `from` and answered now. */
  fateOf(token: KnownToken, from: number): Fate;
  sample(random: Random): KnownToken | undefined;
  all(): readonly KnownToken[];
};

/** So long before its end a token may be called expired, for clocks differ. */
const EXPIRY_MARGIN_S = 5;

export const createLedger = (): Ledger => {
  const tokens: KnownToken[] = [];
  const endings = new Map<Group, Ending[]>();

  const fateBy = (token: KnownToken, { scope, attemptedAt, confirmedAt, reopenedAt }: Ending, from: number): Fate => {
    if (reopenedAt !== undefined) return reopenedAt <= from ? 'live' : 'unknown';
    if (scope === 'earlier' && token.askedAt >= (confirmedAt ?? Number.POSITIVE_INFINITY)) return 'live';
    if (confirmedAt === undefined || confirmedAt > from) return 'unknown';
    return scope === 'all' || token.cameAt <= attemptedAt ? 'dead' : 'unknown';
  };

  return {
    add(token, groups, askedAt) {
      const { jti = '', iat = 0, exp = 0 } = decodeJwt(token);
      const { kid = '' } = decodeProtectedHeader(token);
      const known: KnownToken = {
        ...{ token, jti, kid, issuedAt: iat, expiresAt: exp, askedAt, cameAt: performance.now() },
        groups: [...groups, `token:${jti}`],
      };
      tokens.push(known);
      return known;
    },
    ending(group, scope) {
      const ending: Ending = { scope, attemptedAt: performance.now(), confirmedAt: undefined };
      endings.set(group, [...(endings.get(group) ?? []), ending]);
      return () => {
        ending.confirmedAt ??= performance.now();
      };
    },
    doubt(group) {
      const doubt: Ending = { scope: 'all', attemptedAt: performance.now(), confirmedAt: undefined, isDoubt: true };
      endings.set(group, [...(endings.get(group) ?? []), doubt]);
    },
    isInDoubt: (group) => (endings.get(group) ?? []).some(({ isDoubt }) => isDoubt),
    doubted() {
      const endingsOf = ({ groups }: KnownToken) => groups.flatMap((group) => endings.get(group) ?? []);
      return tokens.filter((token) => {
        const all = endingsOf(token);
        return all.length > 0 && all.every(({ isDoubt }) => isDoubt);
      });
    },
    settle(token, ended) {
      for (const group of token.groups) {
        const all = endings.get(group) ?? [];
        for (const each of all) if (each.isDoubt && ended) each.confirmedAt ??= performance.now();
        if (!ended && all.length > 0)
          endings.set(
            group,
            all.filter(({ isDoubt }) => !isDoubt),
          );
      }
    },
    reopening(group) {
      const ended = (endings.get(group) ?? []).filter(({ reopenedAt }) => reopenedAt === undefined);
      for (const ending of ended) ending.reopenedAt = Number.POSITIVE_INFINITY;
      return () => {
        for (const ending of ended) ending.reopenedAt = performance.now();
      };
    },
    fateOf(token, from) {
      const fates = token.groups.flatMap((group) =>
        (endings.get(group) ?? []).map((each) => fateBy(token, each, from)),
      );
      if (fates.includes('dead')) return 'dead';
      if (fates.includes('unknown') || token.expiresAt - EXPIRY_MARGIN_S < Date.now() / 1000) return 'unknown';
      return 'live';
    },
    /** Half of the time one of the latest, so that young tokens are asked about as often as old ones. */
    sample(random) {
      const recent = tokens.slice(-200);
      const from = random.chance(0.5) ? recent : tokens;
      return from.length === 0 ? undefined : random.pick(from);
    },
    all: () => tokens,
  };
};
