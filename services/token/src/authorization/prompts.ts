import { OAuthError } from '@authserver/oauth';
import type { Params } from '../params.ts';

/** `acr` of a sign-in with a password: one factor, something the person knows. Named like the `amr` of RFC 8176 §2. */
export const passwordAcr = 'pwd';
export const supportedAcrs = [passwordAcr] as const;

export const supportedPrompts = ['none', 'login', 'consent', 'select_account'] as const;
export type Prompt = (typeof supportedPrompts)[number];

/** How the person is to be asked (OpenID Connect Core §3.1.2.1, RFC 9470 §4). */
export type Prompts = {
  prompts: readonly Prompt[];
  maxAgeSeconds: number | undefined;
  /** Authentication contexts the client asks for, any of which will do; empty when it names none. */
  acrs: readonly string[];
  loginHint: string | undefined;
};

/** Longest e-mail address (RFC 5321 §4.5.3.1.3); a longer hint is none. */
const longestHint = 254;

/**
 * Reads `prompt`, `max_age`, `acr_values` and `login_hint`. A prompt we do not know is ignored, as OpenID Connect Core
 * advises.
 *
 * @throws {OAuthError} `invalid_request`, or `unmet_authentication_requirements` when no sign-in here could do (RFC 9470 §5)
 */
export const readPrompts = (params: Params): Prompts => {
  const asked = words(params.prompt);
  const prompts = supportedPrompts.filter((prompt) => asked.includes(prompt));
  if (prompts.includes('none') && asked.length > 1)
    throw new OAuthError('invalid_request', 'prompt none cannot be combined with another.', 'invalid_request');
  const maxAge = params.max_age;
  if (maxAge !== undefined && !/^[0-9]{1,10}$/.test(maxAge))
    throw new OAuthError('invalid_request', 'max_age must be a number of seconds.', 'invalid_request');
  const acrs = words(params.acr_values);
  if (acrs.length > 0 && !acrs.some(isSupportedAcr))
    throw new OAuthError(
      'unmet_authentication_requirements',
      `None of the acr_values can be met; this server supports ${supportedAcrs.join(' ')}.`,
      'authentication_unmet',
    );
  const hint = params.login_hint;
  return {
    prompts,
    maxAgeSeconds: maxAge === undefined ? undefined : Number(maxAge),
    acrs,
    loginHint: hint !== undefined && hint.length <= longestHint ? hint : undefined,
  };
};

export const asksForSilence = (params: Params): boolean => words(params.prompt).includes('none');

/**
 * What a request demands of a sign-in: that the person has proven who they are since `freshFrom` (milliseconds), and that
 * they can have chosen an account for this very request.
 */
export type Demands = { freshFrom: number | undefined; choose: boolean };

export const demandsOn = ({ prompts, maxAgeSeconds }: Prompts, askedAt: Date): Demands => {
  const asked = askedAt.getTime();
  const oldest = maxAgeSeconds === undefined ? undefined : asked - maxAgeSeconds * 1000;
  return {
    freshFrom: prompts.includes('login') ? asked : oldest,
    choose: prompts.includes('select_account'),
  };
};

/** What of a sign-in the answer depends on. */
export type SignInFacts = { authTime: Date; signedInAt: Date; acr: string | undefined };

/**
 * Whether a sign-in is recent and strong enough for a request that arrived at `askedAt`. Measured from there and not from
 * now: a sign-in made for the request always is, however long the person then takes, so nobody is sent round in circles.
 */
export const isFreshEnough = (prompts: Prompts, signIn: SignInFacts, askedAt: Date): boolean => {
  const { freshFrom, choose } = demandsOn(prompts, askedAt);
  if (choose && signIn.signedInAt < askedAt) return false;
  return freshFrom === undefined || signIn.authTime.getTime() >= freshFrom;
};

export const isStrongEnough = ({ acrs }: Prompts, { acr }: SignInFacts): boolean =>
  acrs.length === 0 || (acr !== undefined && acrs.includes(acr));

const words = (list: string | undefined): string[] => (list ?? '').split(' ').filter((word) => word !== '');

const isSupportedAcr = (acr: string): boolean => (supportedAcrs as readonly string[]).includes(acr);
