import type { DeclarationKind, DeclarationList } from '@authserver/admin-api';
import { Problem } from '@authserver/http';

/** What is wrong with one declaration, and which: the program that read it from a file knows where that was. */
export type DeclarationProblem = {
  list: DeclarationList;
  kind: DeclarationKind;
  /** Which of its list; absent for what is only in the server. */
  index?: number | undefined;
  key?: string | undefined;
  member?: string | undefined;
  message: string;
};

/** More nobody reads, and the answer has to stay an answer. */
const maxProblems = 1000;
const maxInDetail = 10;

/** One answer with everything that is wrong. */
export const refusal = (
  problems: readonly DeclarationProblem[],
  code: 'invalid_request' | 'conflict' = 'invalid_request',
): Problem => {
  const sentences = problems.slice(0, maxInDetail).map((problem) => toSentence(problem).slice(0, 160));
  const more = problems.length - sentences.length;
  return new Problem(code, [...sentences, ...(more > 0 ? [`and ${more} more`] : [])].join('; '), {
    extra: { problems: problems.slice(0, maxProblems) },
  });
};

const toSentence = ({ list, kind, index, key, member, message }: DeclarationProblem): string =>
  `${key === undefined ? `${list}[${index}]` : `${kind} ${key}`}: ${member === undefined ? '' : `${member}: `}${message}`;
