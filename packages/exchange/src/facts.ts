import type { Actor } from '@authserver/oauth';
import type { BudgetConsent, Client, FrontingLink, Resource } from '@authserver/store';

/** One of our access tokens, as an exchange looks at it. */
export type ExchangedToken = {
  /** The client it was issued to. */
  clientId: string;
  /** `sub`: a user's id, or the client itself. */
  subject: string;
  /** Its client is an autonomous agent. */
  agent: boolean;
  scopes: readonly string[];
  /** `aud`: URIs of resources, or our issuer. */
  audiences: readonly string[];
  act: Actor | undefined;
  /** Thumbprint of the key it is bound to. */
  jkt: string | undefined;
  /** Neither it nor anything it rests on has ended. */
  live: boolean;
};

export type SubjectToken = ExchangedToken & {
  /** Whose it is; a machine's own token is nobody's. */
  userId: string | undefined;
  /** How many exchanges it comes of. */
  exchanges: number;
  /** How many live tokens come of it directly; nobody counts beyond the most it may have. */
  children: number;
};

/** What a user allowed the client of the subject token at a resource. */
export type Consent = { id: string; resourceId: string; epoch: number; scopes: readonly string[] };

/** A `resource` or `audience` of the request, and what it names here. */
export type NamedTarget = { name: string; resource: Resource | undefined };

/** All that a decision about an exchange rests on. Whoever gathers them, the decision is the same. */
export type ExchangeFacts = {
  /** Who asks. */
  client: Pick<
    Client,
    'clientId' | 'status' | 'grantTypes' | 'tokenEndpointAuthMethod' | 'ceiling' | 'agent' | 'dpopBoundAccessTokens'
  >;
  subject: SubjectToken;
  actor: ExchangedToken | undefined;
  /** `unknown` to whoever only explains: keys are proved in requests. */
  provenKey: string | undefined | 'unknown';
  /** None: what the subject token is for. */
  targets: readonly NamedTarget[];
  /** `undefined`: all that can be had. */
  asked: readonly string[] | undefined;
  resources: {
    find(nameOrUri: string): Resource | undefined;
    byId(id: string): Resource | undefined;
    /** Every scope there is: what a token for the server itself can carry. */
    scopes: readonly string[];
  };
  linkBetween(source: Resource, target: Resource): Pick<FrontingLink, 'scopeMap'> | undefined;
  /** Those of the subject token's user and client, at the targets. */
  consents: readonly Consent[];
  /** What budgets are counted under, with what is used of them; none where no target has a budget. */
  budgetConsents: readonly BudgetConsent[];
  now: Date;
  settings: {
    allowSelfExchange: boolean;
    maxChainDepth: number;
    /** 0: any number. */
    maxChildren: number;
    /** Whether keys can be proved here (`dpop.enabled`), and whether every request must (`dpop.require`). */
    proofs: { enabled: boolean; require: boolean };
  };
};
