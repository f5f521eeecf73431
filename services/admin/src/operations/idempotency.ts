/**
 * `Idempotency-Key`: a change that is sent again, because its answer was lost, is answered again and not done again. The
 * answer is kept in the transaction of the change itself, so any pod gives it, and a change that failed may be repeated.
 */
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { Problem } from '@authserver/http';
import type { Repositories } from '@authserver/store';

export type Answer = { status: number; headers: Record<string, string>; body: unknown };

export type RepeatableRequest = {
  /** Chosen by the caller: 1 to 255 visible characters. */
  key: string;
  /** The credential it was sent with. Another caller's equal key is another key. */
  credential: string;
  /** Method, address and body: what a repetition has to have in common. */
  request: string;
};

const keptMs = 24 * 3600 * 1000;

/**
 * Does `work` unless this request was answered before; then gives that answer.
 *
 * @throws {Problem} `unprocessable` when the key was used for another request, `invalid_request` when it is none
 */
export const answerOnce = async (
  tx: Repositories,
  { key, credential, request }: RepeatableRequest,
  now: Date,
  work: () => Promise<Answer>,
): Promise<Answer> => {
  if (!/^[\x21-\x7e]{1,255}$/.test(key))
    throw new Problem('invalid_request', 'Idempotency-Key: must be 1 to 255 visible ASCII characters');
  const idHash = sha256(`${credential}\n${key}`);
  const requestHash = sha256(request);
  await tx.repeatableRequests.deleteExpired(now, 100);
  if (await tx.repeatableRequests.begin(idHash, requestHash, now, new Date(now.getTime() + keptMs))) {
    const answer = await work();
    await tx.repeatableRequests.answer(idHash, seal(answer, credential, idHash));
    return answer;
  }
  const before = await tx.repeatableRequests.find(idHash);
  if (!before?.requestHash.equals(requestHash))
    throw new Problem('unprocessable', 'This Idempotency-Key was used for another request.');
  const answer = open(before.answer, credential, idHash);
  return { ...answer, headers: { ...answer.headers, 'idempotency-replayed': 'true' } };
};

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

/** An answer may hold a secret. So it is sealed with the caller's credential, of which the database has a hash at most. */
const sealingKey = (credential: string, idHash: Buffer): Buffer =>
  Buffer.from(hkdfSync('sha256', credential, idHash, 'authserver idempotent answer', 32));

const seal = (answer: Answer, credential: string, idHash: Buffer): Buffer => {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', sealingKey(credential, idHash), nonce);
  const sealed = Buffer.concat([cipher.update(JSON.stringify(answer)), cipher.final()]);
  return Buffer.concat([nonce, sealed, cipher.getAuthTag()]);
};

const open = (sealed: Buffer, credential: string, idHash: Buffer): Answer => {
  const decipher = createDecipheriv('aes-256-gcm', sealingKey(credential, idHash), sealed.subarray(0, 12));
  decipher.setAuthTag(sealed.subarray(-16));
  return JSON.parse(Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]).toString());
};
