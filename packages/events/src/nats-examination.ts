import { connect } from 'nats';
import { subjectOf, toMessage } from './catalogue.ts';
import { settle, watchRefusals } from './nats-connection.ts';
import { troubleOf } from './nats-failure.ts';
import { toConnectionOptions } from './nats-options.ts';
import type { NatsSettings } from './nats-settings.ts';
import type { NatsTrouble } from './nats-trouble.ts';

export type NatsExamination =
  | { trouble: NatsTrouble }
  | { trouble: undefined; version: string; tls: boolean; maySubscribe: boolean; mayPublish: boolean };

/** A change every pod has known for long: being allowed to say it is the same as being allowed to say any. */
const harmless = toMessage({ version: 1, kind: 'client', key: 'doctor' });

/** Connects once and finds out what the credentials allow. Pods that hear of it drop what they hear. */
export const examineNats = async (settings: NatsSettings, name: string): Promise<NatsExamination> => {
  try {
    const connection = await connect(toConnectionOptions(settings, name));
    const allowed = async (act: () => unknown): Promise<boolean> => {
      const refusals = watchRefusals(connection);
      act();
      return settle(connection, refusals).then(
        () => true,
        () => false,
      );
    };
    const all = subjectOf(settings.subject_prefix, '*');
    const maySubscribe = await allowed(() => connection.subscribe(all, { callback: () => {} }));
    const mayPublish = await allowed(() => connection.publish(subjectOf(settings.subject_prefix, 'client'), harmless));
    const { version = 'unknown', tls_required, tls_available } = connection.info ?? {};
    await connection.close();
    return { trouble: undefined, version, tls: Boolean(tls_required || tls_available), maySubscribe, mayPublish };
  } catch (error) {
    return { trouble: troubleOf(error) };
  }
};
