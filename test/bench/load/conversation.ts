import { createPrivateKey, randomUUID, sign } from 'node:crypto';
import type { Plan } from './plan.ts';

/** One connection's part in a plan. */
export type Conversation = {
  /** What to send next. */
  request: Buffer;
  /** Reads an answer and gets the next request ready. */
  hear(answer: string): { ok: boolean; complete: boolean };
  /** The form as it is now, with the last refresh token. */
  form?(): string;
};

export const startConversation = (plan: Plan, index: number, port: number): Conversation => {
  if (plan.kind === 'get') return repeat(plan, port);
  if (plan.kind === 'assertions') return assertions(plan, index, port);
  return plan.kind === 'post' ? post(plan, index, port) : flow(plan, index, port);
};

const whole = (ok: boolean) => ({ ok, complete: true });
const isOk = (answer: string): boolean => answer.startsWith('HTTP/1.1 200');

const repeat = ({ path }: Extract<Plan, { kind: 'get' }>, port: number): Conversation => ({
  request: getRequest(path, port),
  hear: (answer) => whole(isOk(answer)),
});

const post = (plan: Extract<Plan, { kind: 'post' }>, index: number, port: number): Conversation => {
  let form = plan.forms[index % plan.forms.length] ?? '';
  const rotates = form.includes('refresh_token=');
  const conversation: Conversation = {
    request: formRequest(plan, form, port),
    hear(answer) {
      const next = rotates ? between(answer, '"refresh_token":"', '"') : undefined;
      if (next !== undefined) {
        form = form.replace(/refresh_token=[^&]+$/, `refresh_token=${next}`);
        conversation.request = formRequest(plan, form, port);
      }
      return whole(isOk(answer) && (!rotates || next !== undefined) && answer.includes(plan.expected ?? ''));
    },
    form: () => form,
  };
  return conversation;
};

const assertions = (plan: Extract<Plan, { kind: 'assertions' }>, index: number, port: number): Conversation => {
  const key = createPrivateKey({ key: plan.key, format: 'jwk' });
  const encoded = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const header = encoded({ typ: 'oauth-id-jag+jwt', alg: 'ES256', kid: plan.key.kid });
  const next = (): Buffer => {
    const iat = Math.floor(Date.now() / 1000);
    const input = `${header}.${encoded({ ...plan.claims, sub: `person${index}`, jti: randomUUID(), iat, exp: iat + 300 })}`;
    const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
    return formRequest(plan, `${plan.form}&assertion=${input}.${signature}`, port);
  };
  const conversation: Conversation = {
    request: next(),
    hear(answer) {
      conversation.request = next();
      return whole(isOk(answer));
    },
  };
  return conversation;
};

const flow = (plan: Extract<Plan, { kind: 'flow' }>, index: number, port: number): Conversation => {
  const authorize = getRequest(plan.authorize, port, plan.cookies[index % plan.cookies.length]);
  const conversation: Conversation = {
    request: authorize,
    hear(answer) {
      if (conversation.request !== authorize) {
        conversation.request = authorize;
        return whole(isOk(answer));
      }
      const code = between(answer, 'code=', /[&\r]/);
      if (code === undefined) return whole(false);
      conversation.request = formRequest({ ...plan, path: plan.token }, `${plan.form}&code=${code}`, port);
      return { ok: true, complete: false };
    },
  };
  return conversation;
};

const getRequest = (path: string, port: number, cookie?: string): Buffer =>
  Buffer.from(
    [`GET ${path} HTTP/1.1`, `host: localhost:${port}`, ...(cookie ? [`cookie: ${cookie}`] : []), '\r\n'].join('\r\n'),
  );

const formRequest = (to: { path: string; authorization: string }, form: string, port: number): Buffer =>
  Buffer.from(
    [
      `POST ${to.path} HTTP/1.1`,
      `host: localhost:${port}`,
      `authorization: ${to.authorization}`,
      'content-type: application/x-www-form-urlencoded',
      `content-length: ${Buffer.byteLength(form)}`,
      '',
      form,
    ].join('\r\n'),
  );

const between = (text: string, before: string, end: string | RegExp): string | undefined => {
  const from = text.indexOf(before);
  if (from < 0) return undefined;
  const rest = text.slice(from + before.length, from + before.length + 4096);
  const length = typeof end === 'string' ? rest.indexOf(end) : rest.search(end);
  return length < 0 ? undefined : rest.slice(0, length);
};
