import type { SignInRefusal } from '../oidc/refused.ts';

type Text = { status: number; title: string; lead: string };

/** What a person is told of a sign-in at the provider that came to nothing, in words that blame nobody who is not at fault. */
export const refusedSignIn = (reason: SignInRefusal, provider: string): Text => texts[reason](provider);

const ofAnother = (): Text => ({
  status: 400,
  title: 'This sign-in cannot be used',
  lead: 'It has expired, was used already, or began in another browser. Please sign in again.',
});
const unverified = (provider: string): Text => ({
  status: 401,
  title: 'You could not be signed in',
  lead: `What ${provider} answered could not be verified. Please try again. If it happens again, tell whoever runs this server.`,
});

const texts: Record<SignInRefusal, (provider: string) => Text> = {
  oidc_state_invalid: ofAnother,
  oidc_issuer_mismatch: ofAnother,
  oidc_provider_error: (provider) => ({
    status: 400,
    title: 'You were not signed in',
    lead: `The sign-in at ${provider} was not completed. Nothing was shared.`,
  }),
  oidc_provider_unavailable: (provider) => ({
    status: 503,
    title: 'Sign-in is not possible at the moment',
    lead: `This server and ${provider} cannot work together right now. That is not your fault. Please try again in a moment.`,
  }),
  oidc_code_refused: unverified,
  oidc_token_invalid: unverified,
  authentication_unmet: (provider) => ({
    status: 401,
    title: 'You could not be signed in',
    lead: `The app wants you to sign in anew, and ${provider} did not ask you to. Sign out there and try again.`,
  }),
  email_in_use: () => ({
    status: 409,
    title: 'Your e-mail address is in use here',
    lead: 'Another account has it, so none could be made for you. Sign in the way you did before, or ask whoever runs this server.',
  }),
  user_not_active: () => ({
    status: 401,
    title: 'You could not be signed in',
    lead: 'Your account here cannot be used at the moment. Ask whoever runs this server.',
  }),
};
