/** Compares what the server answers with what the model expects. */
import { isDeepStrictEqual } from 'node:util';
import { actorsOf } from '@authserver/oauth';
import { decodeJwt } from 'jose';
import type { Answer, Tokens } from '../../support/test-app.ts';
import type { Asking } from './askings.ts';
import type { Client, Expectation, Resource, Token } from './model.ts';
import type { World } from './world.ts';

export class Violation extends Error {}

export const named = (resources: readonly Resource[]): string => resources.map(({ name }) => name).join('+');

export const nameOf = ({ tokens }: World, token: Token): string =>
  `#${tokens.findIndex((known) => known.token === token)} (${token.client.name} for ${token.user?.name ?? 'itself'} at ${named(token.audience)}: ${token.scopes.join(' ')})`;

/** @throws {Violation} when the answer is none of what the model expects: before, or after what went on beside it */
export const judge = (
  world: World,
  asking: Pick<Asking, 'says' | 'from' | 'family'>,
  answer: Answer<Tokens>,
  expected: readonly Expectation[],
): void => {
  const said = `${asking.says}: ${answer.status} ${JSON.stringify(answer.body)}`;
  if (answer.status >= 500) throw new Violation(said);
  if (answer.status !== 200) {
    if (expected.every((expectation) => expectation?.certain)) throw new Violation(`${said}, but it is allowed`);
    return;
  }
  const claims = decodeJwt<Record<string, unknown>>(answer.body.access_token);
  const scopes = String(claims.scope).split(' ');
  const found = expected.find((one) => one && scopes.every((scope) => one.token.scopes.includes(scope)));
  const most = JSON.stringify(expected.map((one) => one?.token.scopes ?? 'nothing'));
  if (!found) throw new Violation(`${said}, but at most ${most} is allowed`);
  if (expected.every((one) => one?.certain && one.token.scopes.length > scopes.length))
    throw new Violation(`${said}, which is less than ${most}`);
  const token = { ...found.token, scopes };
  const mismatch = mismatchOf(world, token, claims);
  if (mismatch) throw new Violation(`${said}: ${mismatch}`);
  const expiresAt = Number(claims.exp);
  if (asking.from.some((known) => known.expiresAt < expiresAt)) throw new Violation(`${said}: it lives too long`);
  world.tokens.push({ token, text: answer.body.access_token, jti: String(claims.jti), expiresAt });
  if (!asking.family) return;
  asking.family.spent.push(asking.family.current);
  asking.family.current = answer.body.refresh_token;
};

/** What of the claims, or of the answer of introspection, is not what the token is. */
export const mismatchOf = (world: World, token: Token, claims: Record<string, unknown>): string | undefined => {
  const idOf = (client: Client) => world.app(client).clientId;
  const expected = {
    client_id: idOf(token.client),
    sub: token.user ? world.person(token.user).user.id : token.machine && idOf(token.machine),
    aud: token.audience.map((resource) => world.at(resource).uri).toSorted(),
    scope: token.scopes.toSorted(),
    act: token.actors.map(idOf),
  };
  const shown = {
    client_id: claims.client_id,
    sub: claims.sub,
    aud: [claims.aud].flat().map(String).toSorted(),
    scope: String(claims.scope).split(' ').toSorted(),
    act: actorsOf(claims.act as Parameters<typeof actorsOf>[0]),
  };
  return isDeepStrictEqual(shown, expected)
    ? undefined
    : `it is ${JSON.stringify(shown)} instead of ${JSON.stringify(expected)}`;
};
