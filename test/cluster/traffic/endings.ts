/** The ways in which a family of tokens ends, each with its proof: nothing of it is accepted anywhere afterwards. */
import type { EndingScope, Group } from '../ledger.ts';
import type { Random } from '../random.ts';
import { administer, ifAvailable, type World } from '../world.ts';
import { inspectAt, inspectEverywhere } from './introspection.ts';
import { revokeUntilConfirmed } from './machine.ts';
import type { Family } from './session.ts';

const weights = {
  none: 4,
  refreshTokenRevoked: 3,
  accessTokenRevoked: 2,
  stolen: 2,
  codeStolen: 1,
  revokedByAdmin: 1,
  loggedOut: 1,
  disabled: 1,
} as const;
export type EndingName = keyof typeof weights;

type Ending = (world: World, random: Random, family: Family) => Promise<void>;

const ended = async (world: World, family: Family): Promise<void> =>
  inspectEverywhere(world, family.accessTokens.slice(-3));

/** Presents what was used before: it is refused, and by the time of the refusal the family is dead. */
const replay = async (
  world: World,
  family: Family,
  kind: 'code' | 'refresh',
  present: () => ReturnType<Family['app']['refresh']>,
): Promise<void> => {
  const confirm = world.ledger.ending(family.group, 'all');
  while (!world.over.aborted) {
    const answer = await ifAvailable(world.judge.ask({ kind, denials: ['invalid_grant'] }, present));
    if (answer) {
      world.violations.checked('one-successor');
      if (answer.status === 200) {
        world.violations.add('one-successor', `a spent ${kind} of ${family.group} was honoured again`);
        return;
      }
      confirm();
      return ended(world, family);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
};

const byAdmin =
  (
    what: string,
    group: (family: Family) => Group,
    scope: EndingScope,
    call: (family: Family) => Parameters<typeof administer<unknown>>[3],
    done?: { code: string },
  ): Ending =>
  async (world, random, family) => {
    const confirm = world.ledger.ending(group(family), scope);
    await administer(world, random, what, call(family), done);
    confirm();
    await ended(world, family);
  };

const run: Record<EndingName, Ending> = {
  async none(world, random, family) {
    const [first] = family.accessTokens;
    if (first) await inspectAt(world, first, random.pick(world.cluster.tokenPods).name);
  },
  async refreshTokenRevoked(world, _random, family) {
    await revokeUntilConfirmed(world, family.app, family.refreshToken, () => world.ledger.ending(family.group, 'all'));
    await ended(world, family);
  },
  async accessTokenRevoked(world, random, family) {
    const token = random.pick(family.accessTokens);
    await revokeUntilConfirmed(world, family.app, token.token, () => world.ledger.ending(`token:${token.jti}`, 'all'));
    await ended(world, { ...family, accessTokens: [token] });
  },
  /** The successor has been used, so whoever comes with the old one is a thief or was robbed (RFC 9700 §4.14.2). */
  async stolen(world, random, family) {
    const spent = [...family.successors].find(([, successor]) => family.successors.has(successor))?.[0];
    if (spent === undefined) return run.refreshTokenRevoked(world, random, family);
    return replay(world, family, 'refresh', () => family.app.refresh(spent));
  },
  /** RFC 6749 §4.1.2: a code that comes twice ends what it produced. */
  async codeStolen(world, _random, family) {
    return replay(world, family, 'code', () => family.app.redeem(family.grant));
  },
  async revokedByAdmin(world, random, family) {
    const { jti } = random.pick(family.accessTokens);
    const ending = byAdmin(
      'revoke an issuance',
      () => `token:${jti}`,
      'all',
      () => (admin) => admin.issuance.revoke({ id: jti }),
    );
    await ending(world, random, family);
  },
  loggedOut: byAdmin(
    'force a logout',
    ({ user }) => `user:${user.id}`,
    'earlier',
    ({ user }) =>
      (admin) =>
        admin.user.forceLogout({ id: user.id }),
  ),
  disabled: byAdmin(
    'disable a user',
    ({ user }) => `user:${user.id}`,
    'all',
    ({ user }) =>
      (admin) =>
        admin.user.disable({ id: user.id }),
    { code: 'conflict' },
  ),
};

export const endings = {
  weights,
  endsUser: (name: EndingName): boolean => name === 'loggedOut' || name === 'disabled',
  run: (name: EndingName, ...args: Parameters<Ending>): Promise<void> => run[name](...args),
};
