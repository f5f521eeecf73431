import { randomBytes } from 'node:crypto';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@authserver/cli/embedded-postgres';
import { connect } from 'nats';
import { natsCertificate, natsPrivateKey, otherAuthority } from './nats-certificates.ts';
import { startOwnServer } from './own-server.ts';
import { findProgram } from './programs.ts';

const binary = await findProgram(['nats-server'], ['nats-server']);

/** Why a test that stops, starts or configures a server of its own cannot run. */
export const noNatsServer = binary === undefined ? 'there is no nats-server on PATH' : false;

/** The users of `deploy/nats/users.conf`. */
export const natsUsers = {
  admin: { user: 'authserver-admin', password: `a${randomBytes(16).toString('hex')}` },
  token: { user: 'authserver-token', password: `t${randomBytes(16).toString('hex')}` },
};

/** A NATS server of the test's own, which it may stop and start again. `config` is a file of `deploy/nats`, if any. */
export const startNatsServer = async (options: { config?: string } = {}) => {
  const directory = await mkdtemp(join(tmpdir(), 'authserver-nats-'));
  const files = {
    certificate: join(directory, 'cert.pem'),
    key: join(directory, 'key.pem'),
    otherAuthority: join(directory, 'other.pem'),
  };
  await writeFile(files.certificate, natsCertificate);
  await writeFile(files.key, natsPrivateKey);
  await writeFile(files.otherAuthority, otherAuthority);
  const port = await freePort();
  const address = ['--addr', '127.0.0.1', '--port', `${port}`];
  const server = await startOwnServer({
    ...{ name: 'nats-server', binary, directory },
    args: options.config === undefined ? address : ['--config', options.config, ...address],
    env: {
      AUTHSERVER_NATS_ADMIN_PASSWORD: natsUsers.admin.password,
      AUTHSERVER_NATS_TOKEN_PASSWORD: natsUsers.token.password,
      AUTHSERVER_NATS_CERT: files.certificate,
      AUTHSERVER_NATS_KEY: files.key,
    },
    answers: () => answers(port),
  });
  return { port, url: `nats://127.0.0.1:${port}`, files, ...server };
};

/** Whoever refuses us is there as well. */
const answers = (port: number): Promise<boolean> =>
  connect({ servers: `127.0.0.1:${port}`, reconnect: false, timeout: 1_000 }).then(
    async (connection) => {
      await connection.close();
      return true;
    },
    (error: Error) => !/refused/.test(error.message),
  );
