import assert from 'node:assert/strict';
import { type AddressInfo, connect, createServer } from 'node:net';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { applicationName, classifyPostgres } from './postgres-startup.ts';
import { startProxy } from './proxy.ts';

const echo = createServer((socket) => socket.on('error', () => {}).pipe(socket));
await new Promise<void>((listening) => echo.listen(0, '127.0.0.1', listening));
const proxy = await startProxy<'loud' | 'quiet'>({
  target: () => (echo.address() as AddressInfo).port,
  classes: ['loud', 'quiet'],
  classify: (first) => (first.includes('LOUD') ? 'loud' : 'quiet'),
});
after(async () => {
  await proxy.close();
  echo.close();
});

const open = () => {
  const socket = connect({ host: '127.0.0.1', port: proxy.port });
  const state = { heard: '', closed: false };
  socket.on('data', (chunk) => {
    state.heard += chunk;
  });
  socket
    .on('error', () => {})
    .on('close', () => {
      state.closed = true;
    });
  return { state, say: (text: string) => socket.write(text), end: () => socket.destroy() };
};
const eventually = async (holds: () => boolean): Promise<void> => {
  for (let waited = 0; !holds(); waited += 5) {
    assert.ok(waited < 5_000, 'it does not come');
    await sleep(5);
  }
};
/** A connection that has said `one`, and heard it. */
const begun = async () => {
  const line = open();
  line.say('one');
  await eventually(() => line.state.heard === 'one');
  return line;
};

test('a class of connections is cut, the other is not, and new ones are refused until it is open again', async () => {
  const [loud, quiet] = [open(), open()];
  loud.say('LOUD');
  quiet.say('quiet');
  await eventually(() => loud.state.heard === 'LOUD' && quiet.state.heard === 'quiet');
  proxy.set('refused', 'loud');
  await eventually(() => loud.state.closed);
  const again = open();
  again.say('LOUD');
  await eventually(() => again.state.closed);
  quiet.say('!');
  await eventually(() => quiet.state.heard === 'quiet!');
  proxy.set('open');
  const mended = open();
  mended.say('LOUD');
  await eventually(() => mended.state.heard === 'LOUD');
  for (const each of [quiet, mended]) each.end();
});

test('in silence nothing passes, and what was said arrives in order when it is over', async () => {
  const line = await begun();
  proxy.set('silent');
  line.say(' two');
  line.say(' three');
  const late = open();
  late.say('late');
  await sleep(100);
  assert.deepEqual([line.state.heard, late.state.heard], ['one', '']);
  proxy.set('open');
  await eventually(() => line.state.heard === 'one two three' && late.state.heard === 'late');
  for (const each of [line, late]) each.end();
});

test('a slow way passes everything, later', async () => {
  const line = await begun();
  proxy.set('slow');
  const started = performance.now();
  line.say('two');
  await eventually(() => line.state.heard === 'onetwo');
  assert.ok(performance.now() - started > 300);
  proxy.set('open');
  line.end();
});

test('what is on a slow way stays before what comes when that is slow no more, and waits out a silence', async () => {
  const line = await begun();
  proxy.set('slow');
  line.say(' two');
  await sleep(50);
  proxy.set('open');
  line.say(' three');
  await eventually(() => line.state.heard === 'one two three');
  proxy.set('slow');
  line.say(' four');
  await sleep(50);
  proxy.set('silent');
  await sleep(500);
  assert.equal(line.state.heard, 'one two three');
  proxy.set('open');
  await eventually(() => line.state.heard === 'one two three four');
  line.end();
});

const startup = (fields: Record<string, string>): Buffer => {
  const body = Buffer.from(`${Object.entries(fields).flat().join('\0')}\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + body.length, 0);
  head.writeInt32BE(196_608, 4);
  return Buffer.concat([head, body]);
};

test('the connection that listens for changes is known by its name', () => {
  const changes = startup({ user: 'a', database: 'b', application_name: 'authserver changes' });
  assert.equal(applicationName(changes), 'authserver changes');
  assert.equal(classifyPostgres(changes), 'changes');
  for (const other of [
    startup({ user: 'authserver changes', application_name: 'authserver token' }),
    startup({ user: 'a' }),
    Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]), // SSLRequest
    Buffer.from('x'),
  ])
    assert.equal(classifyPostgres(other), 'queries');
});
