/** What a script needs of a result: which objects it is about. */
import { pairs } from './output.ts';

/** In this order: the first member there is names the object. */
const names = ['id', 'client_id', 'user_id', 'kid', 'jti', 'slug', 'name'] as const;

/** An id an object; of an answer that wraps a list, those of the list. Nothing when there is none. */
export const idsOf = (result: unknown): string[] => {
  if (Array.isArray(result)) return result.flatMap((item) => (typeof item === 'string' ? [shown(item)] : idsOf(item)));
  if (typeof result !== 'object' || result === null) return [];
  const members = result as Record<string, unknown>;
  const name = names.map((member) => members[member]).find((value) => typeof value === 'string' && value !== '');
  if (typeof name === 'string') return [shown(name)];
  const [source, target] = [members.source_slug ?? members.source, members.target_slug ?? members.target];
  if (typeof source === 'string' && typeof target === 'string') return [`${source} ${target}`];
  return Object.values(members).flatMap((value) => (Array.isArray(value) ? idsOf(value) : []));
};

/** As in a line of output: a stranger's name starts no new line. */
const shown = (id: string): string => pairs({ id }).slice('id='.length);
