import { redirectKind } from './redirect-uri.ts';

/**
 * What a client tells about itself besides what we act on (RFC 7591 §2). All of it is the client's own word: it is kept so
 * that the client can read back what it registered, never fetched, and shown to nobody as if it were true (§5).
 */
export type SelfDescription = Record<string, string | string[]>;

const pages = ['client_uri', 'logo_uri', 'tos_uri', 'policy_uri'];
const words = ['software_id', 'software_version'];
const maxWords = 255;
const maxUri = 2000;
const maxContacts = 5;
/** Members with a language tag (RFC 7591 §2.2) add up; more than this many are of no use to anybody. */
const maxTranslations = 20;
const languageTag = /^[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}$/;

/**
 * The sound part of it. What is not sound is left out of the registration, as §2 lets a server do, and so of the answer:
 * a pretty picture that cannot be used is no reason to refuse a client.
 */
export const readSelfDescription = (
  metadata: Readonly<Record<string, unknown>>,
  redirectUris: readonly string[],
): SelfDescription => {
  const ownHosts = new Set(
    redirectUris.filter((uri) => redirectKind(uri) === 'https').map((uri) => new URL(uri).hostname),
  );
  const kept: SelfDescription = {};
  let translations = 0;
  for (const [member, value] of Object.entries(metadata)) {
    const [name = '', tag, more] = member.split('#');
    if (more !== undefined || (tag !== undefined && (!languageTag.test(tag) || ++translations > maxTranslations)))
      continue;
    const sound =
      (pages.includes(name) && isOwnPage(value, ownHosts)) ||
      (words.includes(name) && tag === undefined && isText(value)) ||
      (name === 'client_name' && tag !== undefined && isText(value));
    if (sound) kept[member] = value as string;
    if (member === 'contacts' && Array.isArray(value) && value.length > 0 && value.length <= maxContacts)
      if (value.every(isText)) kept[member] = value as string[];
  }
  return kept;
};

/**
 * An https page on a host the client also redirects to. Anybody can write down the address of somebody else's logo; the
 * terms and the picture of another company are bait (RFC 7591 §5).
 */
const isOwnPage = (value: unknown, ownHosts: ReadonlySet<string>): boolean =>
  typeof value === 'string' &&
  value.length <= maxUri &&
  redirectKind(value) === 'https' &&
  ownHosts.has(new URL(value).hostname);

const isText = (value: unknown): value is string =>
  typeof value === 'string' &&
  value.trim() !== '' &&
  value.length <= maxWords &&
  !/\p{Cc}/u.test(value) &&
  value.isWellFormed();
