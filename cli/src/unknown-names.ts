import { AdminApiError, type AdminClient } from '@authserver/admin-api';

type Named = { client?: string | undefined; user?: string | undefined; resource?: string | undefined };

/** Which of the names a list was filtered by name nothing: a list of what they have in common is empty, not wrong. */
export const unknownAmong = async (
  api: AdminClient,
  { client, user, resource }: Named,
): Promise<string | undefined> => {
  const remarks = await Promise.all([
    client === undefined ? undefined : remark(api.client.get({ id: client }), `there is no client ${client}`),
    user === undefined ? undefined : remark(api.user.get({ id: user }), `there is no user ${user}`),
    resource === undefined ? undefined : remark(api.resource.get({ id: resource }), `there is no resource ${resource}`),
  ]);
  const known = remarks.filter((text) => text !== undefined);
  return known.length === 0 ? undefined : known.join('; ');
};

const remark = async (looking: Promise<unknown>, text: string): Promise<string | undefined> => {
  try {
    await looking;
    return undefined;
  } catch (error) {
    if (error instanceof AdminApiError && error.status === 404) return text;
    throw error;
  }
};
