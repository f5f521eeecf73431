import { randomBytes } from 'node:crypto';
import { connect } from 'nats';
import type { AuthServer } from './auth-server.ts';
import { nats } from './services.ts';

/** Settings that make a server use the NATS of the tests, under a prefix that no other test has. */
export const natsSettings = async () => ({
  NATS_URL: (await nats()).url,
  NATS_SUBJECT_PREFIX: `test-${randomBytes(6).toString('hex')}`,
});

/** Somebody on the same NATS server who is none of ours. */
export const natsStranger = async (url: string, credentials: { user?: string; pass?: string } = {}) => {
  const connection = await connect({ servers: new URL(url).host, ...credentials });
  return {
    connection,
    /** Resolves when the server has the message. */
    async publish(subject: string, payload: string | Uint8Array): Promise<void> {
      connection.publish(subject, payload);
      await connection.flush();
    },
    close: () => connection.close(),
  };
};

/** Whether every pod hears over a channel; for NATS also whether every control plane can publish there. */
export const feedsHear = async ({ pods, admins }: AuthServer, channel: 'notify' | 'nats'): Promise<boolean> => {
  const rendered = await Promise.all([...pods, ...admins].map(({ metrics }) => metrics.render()));
  const up = new RegExp(`^authserver_change_channel_up\\{[^}]*channel="${channel}"[^}]*\\} 1$`, 'm');
  return rendered.every(({ body }) => up.test(body));
};
