import type { Client, ConsentGrant, Store } from '@authserver/store';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { getsRefreshToken } from '../clients/refresh-policy.ts';
import type { ResourceCatalog } from '../lookups.ts';
import { type ConsentClient, resourceName } from '../views/consent.ts';
import type { ConsentScope } from '../views/consent-scopes.ts';
import { messagePage } from '../views/message.ts';
import { type ConsentRequest, consentQuestion, isToSameClient, type Place, placesOf } from './consents.ts';
import { sendPage } from './pages.ts';

/** The answer to the question whether a client may act for a person, as its form posts it. */
export const AnswerForm = z.object({
  request: z.string(),
  csrf_token: z.string().optional(),
  action: z.enum(['allow', 'deny']),
  scopes: z.union([z.string().transform((scope) => [scope]), z.array(z.string())]).default([]),
});
export type AnswerForm = z.infer<typeof AnswerForm>;

export type QuestionDeps = {
  store: Pick<Store, 'consentGrants'>;
  resources: () => Promise<ResourceCatalog>;
};

/** What the question shows of a request: who asks, for what and where, and what of it the person has allowed before. */
export const questionOf = async (asked: ConsentRequest, userId: string, deps: QuestionDeps) => {
  const { client, resources } = asked;
  const { clientId, resourceIds } = consentQuestion(asked);
  const everHeld = await deps.store.consentGrants.listActive(userId, clientId, resourceIds);
  const held = everHeld.filter((consent) => isToSameClient(consent, client));
  return {
    client: clientView(client),
    resources: resources.map(({ displayName, slug, uri = '' }) => ({ displayName, slug, uri })),
    scopes: choicesOf(asked, held, await deps.resources()),
    heldBeside: heldBeside(asked, held),
    offlineAccess: getsRefreshToken(client, asked.offlineAccess),
  };
};

/** Who a client is, as a page says it. */
export const clientView = ({ clientName, clientId, registrationSource }: Client): ConsentClient => ({
  name: clientName,
  id: clientId,
  verified: registrationSource === 'admin',
  source: registrationSource,
});

/** The scopes that were ticked. `undefined` when there are none, or one among them that was not asked for. */
export const tickedScopes = (
  asked: Pick<ConsentRequest, 'scopes'>,
  { scopes }: Pick<AnswerForm, 'scopes'>,
): readonly string[] | undefined => {
  const ticked = asked.scopes.filter((scope) => scopes.includes(scope));
  return ticked.length === 0 || scopes.some((scope) => !asked.scopes.includes(scope)) ? undefined : ticked;
};

/** `question` is the path of the page that the person goes back to. */
export const sendNothingSelected = (reply: FastifyReply, question: string): FastifyReply =>
  sendPage(
    reply,
    400,
    messagePage({
      title: 'Nothing was selected',
      lead: 'Select at least one permission, or choose Deny to refuse them all.',
      action: { href: question, label: 'Back to the selection' },
    }),
  );

/** The scopes of a request as the person is shown them: what each means, where it counts, what is `held` already. */
const choicesOf = (
  asked: Pick<ConsentRequest, 'resources' | 'scopes'>,
  held: readonly ConsentGrant[],
  { all }: ResourceCatalog,
): ConsentScope[] => {
  const places = placesOf(asked);
  const catalog = (asked.resources.length > 0 ? asked.resources : all).flatMap(({ scopes }) => scopes);
  return asked.scopes.map((name) => ({
    name,
    description: catalog.find((scope) => scope.name === name && scope.description !== '')?.description,
    alreadyGranted: isHeldEverywhere(name, places, held),
    at: asked.resources.length > 1 ? placesWith(name, places) : undefined,
  }));
};

/** What the client has at these resources and does not ask for now: it stays whatever is answered. */
const heldBeside = (
  { resources, scopes }: Pick<ConsentRequest, 'resources' | 'scopes'>,
  held: readonly ConsentGrant[],
) => {
  const offered = resources.flatMap((resource) => resource.scopes.map(({ name }) => name));
  const names = held.flatMap((consent) => consent.scopes);
  return [...new Set(names)].filter((name) => offered.includes(name) && !scopes.includes(name));
};

const isHeldEverywhere = (scope: string, places: readonly Place[], held: readonly ConsentGrant[]): boolean =>
  places
    .filter(({ scopes }) => scopes.includes(scope))
    .every(({ resource }) =>
      held.some(({ resourceId, scopes }) => resourceId === resource?.id && scopes.includes(scope)),
    );

const placesWith = (scope: string, places: readonly Place[]): string[] =>
  places.flatMap(({ resource, scopes }) => (resource && scopes.includes(scope) ? [resourceName(resource)] : []));
