import type { Repositories, TrustedIdp } from '@authserver/store';
import { notFound } from './refusals.ts';

export const requireIdp = async (
  { trustedIdps }: Pick<Repositories, 'trustedIdps'>,
  id: string,
): Promise<TrustedIdp> => {
  const idp = await trustedIdps.find(id);
  if (!idp) throw notFound('identity provider');
  return idp;
};
