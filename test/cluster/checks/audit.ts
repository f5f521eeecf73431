import type { Random } from '../random.ts';
import { administer, type World } from '../world.ts';

/** The hash chain of the audit trail, which every change and every refusal with a trace is part of, is unbroken. */
export const checkAudit = async (world: World, random: Random): Promise<void> => {
  const days = await administer(world, random, 'verify the audit trail', async (admin) => {
    const verified = [];
    for await (const day of await admin.audit.verify({ query: {} })) verified.push(day);
    return verified;
  });
  for (const { day, status, problem } of days ?? []) {
    world.violations.checked('audit-holds');
    if (status !== 'ok') world.violations.add('audit-holds', `${day} is ${status}: ${problem?.detail}`);
  }
};
