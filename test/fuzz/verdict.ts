import type { Exchanged } from './exchange.ts';
import type { FuzzRequest } from './requests.ts';
import { headerCanary, markupCanary } from './values.ts';

/** Node answers these by itself, before any code of ours: an unknown version or coding in the request line or headers. */
const saidByNode = [501, 505];

const inner =
  /node_modules|\.ts:\d+|\bat (?:async )?[\w.]+ \(|FST_|password_hash|\b(?:select|insert into|update) \S+ (?:from|set|\()/i;

/** What is wrong with an answer, or nothing. */
export const complaint = ({ damaged }: FuzzRequest, answer: Exchanged): string | undefined => {
  const { status, head, body } = answer;
  if (answer.timedOut && !damaged) return `no complete answer within ${Math.round(answer.milliseconds)} ms`;
  if (status === 0) return damaged || answer.timedOut ? undefined : 'no answer';
  if (status >= 500 && !(damaged && saidByNode.includes(status))) return `status ${status}`;
  if (new RegExp(`^${headerCanary}:`, 'im').test(head)) return 'a header made of what was sent';
  if (body.includes(markupCanary)) {
    const json = /^content-type: application\/[\w+.-]*json/im.test(head);
    if (!json) return 'markup that was not escaped';
  }
  const leak = inner.exec(body);
  if (leak) return `the answer tells how we work: ${leak[0]}`;
  const location = /^location: (.*)$/im.exec(head)?.[1] ?? '';
  if (/evil\.example/.test(location.split('?')[0] ?? '')) return `a redirect to ${location}`;
  return undefined;
};
