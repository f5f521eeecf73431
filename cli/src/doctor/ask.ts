/**
 * The doctor's requests. They go to addresses the operator typed, and to those that the answers name; no credential is
 * ever sent, no redirect followed, and no more than a document's worth read.
 */
export type Question = {
  method?: 'GET' | 'POST' | 'OPTIONS';
  url: string;
  headers?: Record<string, string>;
  body?: string;
};

export type Answer = {
  status: number;
  headers: Headers;
  /** The parsed body, when it is a JSON object. */
  json: Record<string, unknown> | undefined;
  /** Media type without parameters, or empty. */
  type: string;
};

/** No answer at all, and why. */
export type Silence = { silence: string };

export type Ask = (question: Question) => Promise<Answer | Silence>;

const timeoutMs = 10_000;
const maxBytes = 512 * 1024;

export const isSilence = (answer: Answer | Silence): answer is Silence => 'silence' in answer;

/** Asks over the network; the same question is asked once, however many clients would ask it. */
export const createAsk = (): Ask => {
  const asked = new Map<string, Promise<Answer | Silence>>();
  return (question) => {
    const key = JSON.stringify(question);
    const known = asked.get(key) ?? send(question);
    asked.set(key, known);
    return known;
  };
};

const send = async ({ method = 'GET', url, headers = {}, body }: Question): Promise<Answer | Silence> => {
  try {
    const response = await fetch(url, {
      method,
      headers: { 'user-agent': 'authserver-doctor', ...headers },
      ...(body === undefined ? {} : { body }),
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    const type = (response.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
    return { status: response.status, headers: response.headers, type, json: parse(await readSome(response)) };
  } catch (error) {
    return { silence: why(error as Error) };
  }
};

/** The body up to the limit. An event stream never ends, so what is not JSON is not waited for. */
const readSome = async (response: Response): Promise<string> => {
  if (!/json/.test(response.headers.get('content-type') ?? '')) {
    await response.body?.cancel();
    return '';
  }
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > maxBytes) throw new Error(`the answer is larger than ${maxBytes / 1024} KiB`);
  }
  return text;
};

const parse = (text: string): Answer['json'] => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
};

const why = (error: Error): string => {
  if (error.name === 'TimeoutError') return `no answer within ${timeoutMs / 1000} s`;
  const { code, message } = (error.cause ?? {}) as { code?: string; message?: string };
  if (code === 'ECONNREFUSED') return 'nothing listens there';
  if (code === 'ENOTFOUND') return 'the host name does not exist';
  if (code !== undefined && /CERT|SELF_SIGNED|SIGNATURE/.test(code)) return `its TLS certificate is not good (${code})`;
  return message ?? code ?? error.message;
};
