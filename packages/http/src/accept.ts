/**
 * Whether an `Accept` header (RFC 9110 §12.5.1) asks for `type`, and for no less than for `usual`. Wildcards stand for
 * what is usual: who accepts everything has not asked for anything.
 */
export const asksFor = (accept: string | undefined, type: string, usual: string): boolean => {
  const weights = new Map((accept ?? '').split(',').map(readRange));
  const wanted = weights.get(type) ?? 0;
  const otherwise = weights.get(usual) ?? weights.get(`${usual.split('/')[0]}/*`) ?? weights.get('*/*') ?? 0;
  return wanted > 0 && wanted >= otherwise;
};

const readRange = (range: string): [type: string, weight: number] => {
  const [type = '', ...params] = range.split(';').map((part) => part.trim().toLowerCase());
  const weight = params.find((param) => param.startsWith('q='))?.slice(2);
  return [type, weight === undefined ? 1 : Number(weight) || 0];
};
