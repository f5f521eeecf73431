/** What chance chooses among. */
import type { Random } from '../random.ts';
import type { Known } from './world.ts';

/** Some of them, at least one, in their order. */
export const some = <T>(random: Random, values: readonly T[]): T[] => {
  const chosen = values.filter(() => random.chance(0.6));
  return chosen.length > 0 || values.length === 0 ? chosen : [random.pick(values)];
};

/** One of the tokens, mostly a young one. */
export const pickToken = (random: Random, tokens: readonly Known[]): Known | undefined =>
  tokens.length === 0 ? undefined : random.pick(random.chance(0.7) ? tokens.slice(-25) : tokens);
