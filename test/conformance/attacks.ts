import { basename } from 'node:path';
import { type Claims, readClaims } from './claims.ts';
import { threatExceptions } from './threat-exceptions.ts';
import { threatGroups, threatsIn } from './threats.ts';

/** The tests over HTTP that run each attack; what only a function is tested against does not count. */
export const readThreatClaims = (): Claims => {
  const claims = [...readClaims(threatsIn)].map(
    ([id, files]) => [id, files.filter((file) => file.startsWith('test/features/'))] as const,
  );
  return new Map(claims.filter(([, files]) => files.length > 0));
};

/** The section of docs/compliance.md about attacks. */
export const attacks = (): string => {
  const claims = readThreatClaims();
  const metBy = (id: string): string => {
    const files = claims.get(id)?.map((file) => `[${basename(file, '.test.ts')}](../${file})`);
    return files?.join(', ') ?? threatExceptions[id] ?? '**open**';
  };
  const tables = threatGroups.flatMap(({ title, threats }) => [
    `### ${title}`,
    [
      '| id | attack | run by |',
      '| --- | --- | --- |',
      ...threats.map((threat) => `| ${threat.id} | ${threat.title} | ${metBy(threat.id)} |`),
    ].join('\n'),
  ]);
  return ['## Attacks', introduction, ...tables].join('\n\n');
};

const introduction = `\
What somebody with bad intentions tries, and the tests that try it first: from outside, over HTTP, and on two pods at once
where pods share something. The ids are ours. Each has a test or a reason.`;
