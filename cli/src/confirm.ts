import { createInterface } from 'node:readline/promises';
import { usageFailure } from './failure.ts';

/**
 * Asks before something is done that cannot be taken back. Only a person is asked: a script has no terminal, and what it
 * says it means. The question goes to standard error, so that output stays output.
 *
 * @throws {CommandFailure} usage, when the answer is not yes
 */
export const confirm = async (question: string): Promise<void> => {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return;
  const lines = createInterface({ input: process.stdin, output: process.stderr, historySize: 0 });
  const over = new AbortController();
  lines.once('SIGINT', () => over.abort());
  lines.once('close', () => over.abort());
  try {
    const answer = await lines.question(`${question}? Type yes to go on: `, { signal: over.signal });
    if (answer.trim().toLowerCase() !== 'yes') throw usageFailure('not confirmed; nothing was done');
  } catch (cause) {
    throw over.signal.aborted ? usageFailure('cancelled; nothing was done') : cause;
  } finally {
    lines.close();
  }
};
