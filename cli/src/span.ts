import { parseDuration } from '@authserver/config';
import { usageFailure } from './failure.ts';

/**
 * The seconds a flag such as `--expires-in` means: `12h`, `7d`. How long something may be, the server decides.
 *
 * @throws {CommandFailure} usage
 */
export const parseSpan = (flag: string, span: string): number => {
  const seconds = parseDuration(span);
  if (seconds === undefined || !Number.isInteger(seconds))
    throw usageFailure(`${flag} expects whole seconds with a unit, such as 1h or 7d`);
  return seconds;
};
