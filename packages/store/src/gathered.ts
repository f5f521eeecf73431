import { type GatheredStatement, inSpan } from '@authserver/telemetry';
import { resolveSubjects } from './control/trust.ts';
import { type Queryable, statementSpan } from './db.ts';
import { type GatherWatch, gather } from './gather.ts';
import { type AssertionRedemption, redeemAssertions } from './runtime/assertions.ts';
import { findCodes, insertCodes, type NewAuthorizationCode, type Redemption } from './runtime/authorization-codes.ts';
import { findLiveSessions } from './runtime/browser-sessions.ts';
import { consentGrants } from './runtime/consent-grants.ts';
import { type BudgetQuestion, findDelegationUses } from './runtime/delegation-uses.ts';
import {
  type Exchange,
  type ExchangeQuestion,
  findExchanges,
  insertCountedExchanges,
  insertExchanges,
} from './runtime/exchanges.ts';
import { areLive, type Issuance, issuances } from './runtime/issuances.ts';
import { redeemCodes } from './runtime/redeem-many.ts';
import { findRefreshTokens, type Spending } from './runtime/refresh-tokens.ts';
import { findSessionsWithConsents, type SessionQuestion } from './runtime/sessions-with-consents.ts';
import { spendRefreshTokens } from './runtime/spend-many.ts';
import type { Repositories } from './store.ts';

/**
 * The statements of the hot path, each of them run once for all requests that wait for it. They answer what the
 * repositories answer, from the database at that moment: nothing is remembered between two of them.
 *
 * What several requests spend together waits for no row; whoever is passed over for that is served alone. In a crowd that
 * races for one code or token most come too late instead, and read that together: they need no connection each.
 */
export const gathered = (db: Queryable, plain: Repositories, watch?: (operation: GatheredStatement) => GatherWatch) => {
  const share = <Item, Result>(
    operation: GatheredStatement,
    run: (items: readonly Item[]) => Promise<readonly Result[]>,
  ) => {
    const ask = gather(run, undefined, watch?.(operation));
    // The wait for a statement that is run for many is a span of each of them.
    return (item: Item) => inSpan(operation, () => ask(item), statementSpan);
  };
  const insertIssuance = share('issuance_insert_many', async (rows: readonly Issuance[]) => {
    await issuances(db).insertMany(rows);
    return rows;
  });
  const isLive = share('issuance_is_live', (ids: readonly string[]) => areLive(db, ids));
  const findRefreshToken = share('refresh_find', (hashes: readonly Buffer[]) => findRefreshTokens(db, hashes));
  const spend = share('refresh_spend_many', (spendings: readonly Spending[]) => spendRefreshTokens(db, spendings));
  const findCode = share('code_find', (hashes: readonly Buffer[]) => findCodes(db, hashes));
  const insertCode = share('code_insert_many', async (codes: readonly NewAuthorizationCode[]) => {
    await insertCodes(db, codes);
    return codes;
  });
  const redeem = share('code_redeem_many', (redemptions: readonly Redemption[]) => redeemCodes(db, redemptions));
  const findSession = share('session_find_live', (asked: readonly { idHash: Buffer; now: Date }[]) =>
    findLiveSessions(db, asked),
  );
  const findSessionWithConsents = share('session_find_with_consents', (questions: readonly SessionQuestion[]) =>
    findSessionsWithConsents(db, questions),
  );
  const findExchange = share('exchange_find', (questions: readonly ExchangeQuestion[]) => findExchanges(db, questions));
  const insertExchange = share('exchange_insert_many', (exchanges: readonly Exchange[]) =>
    insertExchanges(db, exchanges),
  );
  const insertCountedExchange = share('exchange_insert_counted_many', (exchanges: readonly Exchange[]) =>
    insertCountedExchanges(db, exchanges),
  );
  const findUses = share('delegation_uses_find', (questions: readonly BudgetQuestion[]) =>
    findDelegationUses(db, questions),
  );
  const askAgain = share('consent_ask_again', async (spent: readonly { id: string; round: number }[]) => {
    await consentGrants(db).askAgain(spent);
    return spent;
  });
  const resolveSubject = share('subject_resolve_many', (asked: readonly { idpId: string; subject: string }[]) =>
    resolveSubjects(db, asked),
  );
  const redeemAssertion = share('assertion_redeem_many', (redemptions: readonly AssertionRedemption[]) =>
    redeemAssertions(db, redemptions),
  );

  return {
    assertions: { redeem: redeemAssertion },
    subjectMappings: {
      ...plain.subjectMappings,
      resolve: (idpId: string, subject: string) => resolveSubject({ idpId, subject }),
    },
    issuances: {
      ...plain.issuances,
      isLive,
      /** Resolves once the row is committed; only then may the token leave. */
      async insert(row: Issuance): Promise<void> {
        await insertIssuance(row);
      },
    },
    refreshTokens: {
      ...plain.refreshTokens,
      find: findRefreshToken,
      async spend(spending: Spending): Promise<boolean> {
        if (!spending.several && (await spend(spending))) return true;
        if (!spending.several && (await findRefreshToken(spending.tokenHash))?.spentAt) return false; // too late
        return plain.refreshTokens.spend(spending);
      },
    },
    authorizationCodes: {
      ...plain.authorizationCodes,
      find: findCode,
      async insert(code: NewAuthorizationCode): Promise<void> {
        await insertCode(code);
      },
      async redeem(redemption: Redemption, several: boolean): Promise<boolean> {
        if (!several && (await redeem(redemption))) return true;
        if (!several && (await findCode(redemption.codeHash))?.redeemedAt) return false; // too late
        return plain.authorizationCodes.redeem(redemption, several);
      },
    },
    browserSessions: {
      ...plain.browserSessions,
      findLive: (idHash: Buffer, now: Date) => findSession({ idHash, now }),
      findLiveWithConsents: findSessionWithConsents,
    },
    consentGrants: {
      ...plain.consentGrants,
      async askAgain(spent: readonly { id: string; round: number }[]): Promise<void> {
        await Promise.all(spent.map(askAgain));
      },
    },
    delegationUses: { find: findUses },
    exchanges: {
      find: findExchange,
      insert: async (exchange: Exchange): Promise<boolean> => {
        const { consents, uses } = exchange;
        const alone = consents.length > 1 || uses.length > 1;
        const insertShared = uses.length === 0 ? insertExchange : insertCountedExchange;
        const outcome = alone ? undefined : await insertShared(exchange);
        return outcome === undefined ? plain.exchanges.insert(exchange) : outcome === 'written';
      },
    },
  };
};
