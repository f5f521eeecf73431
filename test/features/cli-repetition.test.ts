/** A change whose answer is lost on its way back. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { failedWith, runCli } from '../support/command-line.ts';

const server = await startAuthServer({ admin: true });
const { admin } = server;

/** Stands before the admin service, passes everything on, and spoils as many answers as it is told to. */
const spoil = { answers: 0, how: 'cut' as 'cut' | 'status' };
const seen: (string | undefined)[] = [];
const front = createServer((incoming, outgoing) => {
  seen.push(incoming.headers['idempotency-key'] as string | undefined);
  const onward = request(
    `${server.adminUrl}${incoming.url}`,
    { method: incoming.method ?? 'GET', headers: incoming.headers },
    (answer: IncomingMessage) => {
      if (spoil.answers === 0) return void answer.pipe(outgoing.writeHead(answer.statusCode ?? 500, answer.headers));
      spoil.answers -= 1;
      answer.resume().on('end', () => {
        if (spoil.how === 'cut') outgoing.destroy();
        else outgoing.writeHead(502).end('bad gateway');
      });
    },
  );
  incoming.pipe(onward);
}).listen(0, '127.0.0.1');
await once(front, 'listening');
after(() => front.close());

const env = () => ({
  AUTHPLANE_ADMIN_URL: `http://127.0.0.1:${(front.address() as AddressInfo).port}`,
  AUTHPLANE_ADMIN_API_KEY: server.adminKey,
});
const create = (name: string) =>
  runCli(
    [
      'admin',
      'client',
      'create',
      '--name',
      name,
      '--grant-types',
      'client_credentials',
      '--auth-method',
      'client_secret_post',
    ],
    { env: env() },
  );
const called = async (name: string) => (await admin.client.list()).filter((client) => client.name === name);

for (const how of ['cut', 'status'] as const)
  test(`[threat K08] it is sent again and done once: ${how}`, async () => {
    Object.assign(spoil, { answers: 2, how });
    seen.length = 0;
    const { code, stdout, stderr } = await create(how);
    assert.equal(code, 0, stderr);
    const [client, ...others] = await called(how);
    assert.deepEqual(others, []);
    assert.match(stdout, new RegExp(`^client created: id=${client?.id} name=${how}\nclient_secret=\\S{40,}\n$`));
    assert.equal(seen.length, 3);
    assert.equal(new Set(seen).size, 1);
  });

test('when every answer is lost that is a failure, and a deletion is not told to be gone before', async () => {
  Object.assign(spoil, { answers: 3, how: 'cut' });
  assert.match(failedWith(await create('lost'), 1), /cannot reach the admin service/);
  const [client] = await called('lost');
  Object.assign(spoil, { answers: 1, how: 'cut' });
  const deleted = await runCli(['admin', 'client', 'delete', '--id', client?.id ?? ''], { env: env() });
  assert.deepEqual([deleted.code, deleted.stdout], [0, `client deleted: id=${client?.id}\n`]);
});
