import { notFound } from './refusals.ts';

type AnyHandlers = Record<string, (call: never) => Promise<unknown>>;

/** Handlers of a feature that is switched off: nothing is there, and the answer says which setting would change that. */
export const onlyIf = <H extends AnyHandlers>(enabled: boolean, setting: string, handlers: H): H => {
  if (enabled) return handlers;
  const refuse = async () => {
    throw notFound(`operation: ${setting} is false`);
  };
  return Object.fromEntries(Object.keys(handlers).map((name) => [name, refuse])) as unknown as H;
};
