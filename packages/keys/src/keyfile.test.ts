import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { KeyInUseError, KeyStoreError, KeyTooYoungError } from './errors.ts';
import type { KeyRecord, KeyState } from './key-store.ts';
import { keyfileStore } from './keyfile.ts';

const start = new Date('2026-01-01T00:00:00Z');
const after = (seconds: number) => new Date(start.getTime() + seconds * 1000);

async function newStore(t: TestContext) {
  const parent = await mkdtemp(join(tmpdir(), 'keyfile-'));
  t.after(() => rm(parent, { recursive: true }));
  const directory = join(parent, 'data', 'keys');
  const clock = { at: start, now: () => clock.at };
  const store = keyfileStore({ directory, algorithm: 'ES256', maxTokenLifetimeSeconds: 3600, clock });
  return { directory, clock, store, manifest: join(directory, 'keyring.json') };
}

const kidOf = (records: readonly KeyRecord[], state: KeyState) => {
  const found = records.find((record) => record.state === state);
  assert.ok(found, state);
  return found.kid;
};
const pemFiles = async (directory: string) => (await readdir(directory)).filter((name) => name.endsWith('.pem'));
const mode = async (path: string) => (await stat(path)).mode & 0o777;

test('the first use makes a current and a next key, private to their owner', async (t) => {
  const { directory, store } = await newStore(t);
  const { records, signer } = await store.load();
  assert.deepEqual(records.map(({ state }) => state).sort(), ['current', 'next']);
  assert.equal(signer.kid, kidOf(records, 'current'));
  assert.deepEqual(
    (await readdir(directory)).sort(),
    [...records.map(({ kid }) => `${kid}.pem`), 'keyring.json'].sort(),
  );
  assert.equal(await mode(directory), 0o700);
  for (const name of await readdir(directory)) assert.equal(await mode(join(directory, name)), 0o600);
  assert.deepEqual((await store.load()).records, records);
});

test('keys keep their times over rotations and are deleted once gone', async (t) => {
  const { directory, clock, store } = await newStore(t);
  const first = await store.load();
  clock.at = after(300);
  const rotated = await store.rotate({ now: clock.at, algorithm: 'ES256' });
  const second = await store.load();
  assert.equal(rotated.kid, kidOf(first.records, 'next'));
  assert.equal(second.signer.kid, rotated.kid);
  const retiring = second.records.find(({ state }) => state === 'retiring');
  assert.equal(retiring?.kid, first.signer.kid);
  assert.deepEqual(
    [retiring.createdAt, retiring.activatedAt, retiring.retiredAt, retiring.goneAfter],
    [start, start, after(300), after(4200)],
  );

  clock.at = after(4201);
  assert.equal((await store.load()).records.length, 2);
  assert.equal((await pemFiles(directory)).length, 3);
  await store.rotate({ now: clock.at, algorithm: 'ES256' });
  const files = await pemFiles(directory);
  assert.deepEqual(files.sort(), (await store.load()).records.map(({ kid }) => `${kid}.pem`).sort());
  assert.ok(!files.includes(`${first.signer.kid}.pem`));
});

test('a rotation too early is refused and changes nothing, the first one too', async (t) => {
  const { manifest, store } = await newStore(t);
  await assert.rejects(store.rotate({ now: after(10), algorithm: 'ES256' }), KeyTooYoungError);
  const before = await readFile(manifest, 'utf8');
  await assert.rejects(
    store.rotate({ now: after(299), algorithm: 'ES256' }),
    (error) => error instanceof KeyTooYoungError && error.secondsLeft === 1,
  );
  assert.equal(await readFile(manifest, 'utf8'), before);
  await store.rotate({ now: after(20), algorithm: 'ES256', force: true });
});

test('a forced algorithm change signs at once and deletes the key that never signed', async (t) => {
  const { directory, store } = await newStore(t);
  const { records } = await store.load();
  const rotated = await store.rotate({ now: start, algorithm: 'EdDSA', force: true });
  const after = await store.load();
  assert.equal(rotated.alg, 'EdDSA');
  assert.deepEqual(after.records.map(({ alg, state }) => `${alg} ${state}`).sort(), [
    'ES256 retiring',
    'EdDSA current',
    'EdDSA next',
  ]);
  assert.ok(!(await pemFiles(directory)).includes(`${kidOf(records, 'next')}.pem`));
});

test('retire forgets a retiring key and no other', async (t) => {
  const { directory, store } = await newStore(t);
  const { records, signer } = await store.load();
  for (const { kid } of records)
    await assert.rejects(store.retire(kid, { now: start, force: true }), KeyInUseError, 'current and next');
  assert.equal(await store.retire('x'.repeat(22), { now: start, force: true }), undefined);
  await store.rotate({ now: start, algorithm: 'ES256', force: true });
  await assert.rejects(store.retire(signer.kid, { now: start }), KeyInUseError);
  assert.equal((await store.retire(signer.kid, { now: start, force: true, dryRun: true }))?.kid, signer.kid);
  assert.equal((await pemFiles(directory)).length, 3);
  assert.equal((await store.retire(signer.kid, { now: start, force: true }))?.kid, signer.kid);
  assert.equal((await store.load()).records.length, 2);
  assert.equal((await pemFiles(directory)).length, 2);
});

test('a key whose last token has ended is retired without force, with its file', async (t) => {
  const { directory, clock, store } = await newStore(t);
  const { signer } = await store.load();
  await store.rotate({ now: start, algorithm: 'ES256', force: true });
  clock.at = after(3600 + 300 + 1);
  assert.equal((await pemFiles(directory)).length, 3);
  assert.equal((await store.retire(signer.kid, { now: clock.at }))?.kid, signer.kid);
  assert.equal((await pemFiles(directory)).length, 2);
});

test('processes that create and rotate at once end with one ring and lose no key', async (t) => {
  const { directory, store } = await newStore(t);
  const run = (script: string) => {
    const code = `
      import { keyfileStore } from ${JSON.stringify(import.meta.resolve('./keyfile.ts'))};
      const store = keyfileStore({ directory: process.argv[1], algorithm: 'ES256', maxTokenLifetimeSeconds: 3600 });
      const rotated = [];
      ${script}`;
    return promisify(execFile)(process.execPath, ['--input-type=module', '--eval', code, directory]);
  };
  const created = await Promise.all(
    Array.from({ length: 4 }, () => run('console.log((await store.load()).records.map((r) => r.kid).join())')),
  );
  assert.equal(new Set(created.map(({ stdout }) => stdout)).size, 1);

  const { signer } = await store.load();
  const rotations = await Promise.all(
    Array.from({ length: 4 }, () =>
      run(`for (let i = 0; i < 5; i++) {
        rotated.push((await store.rotate({ now: new Date(), algorithm: 'ES256', force: true })).kid);
        await store.load();
      }
      console.log(rotated.join())`),
    ),
  );
  const signed = rotations.flatMap(({ stdout }) => stdout.trim().split(','));
  assert.equal(new Set(signed).size, 20, 'every rotation promoted another key');
  const { records } = await keyfileStore({ directory, algorithm: 'ES256', maxTokenLifetimeSeconds: 3600 }).load();
  const verifying = records.filter(({ state }) => state !== 'next').map(({ kid }) => kid);
  assert.deepEqual(verifying.sort(), [signer.kid, ...signed].sort());
  assert.deepEqual((await pemFiles(directory)).sort(), records.map(({ kid }) => `${kid}.pem`).sort());
});

test('a damaged manifest is named and left as it is', async (t) => {
  const { manifest, store } = await newStore(t);
  const { records } = await store.load();
  const good = await readFile(manifest, 'utf8');
  const [one, other] = [kidOf(records, 'current'), kidOf(records, 'next')];
  const cases: [string, RegExp][] = [
    [good.slice(0, 100), /damaged: not JSON/],
    ['', /damaged: not JSON/],
    ['-----BEGIN PRIVATE KEY-----\nMIGHAgEA', /damaged: not JSON/],
    ['[]', /damaged: not a JSON object/],
    ['{"version":2,"keys":[]}', /damaged: "version" is not 1/],
    [good.replace('"current"', '"next"'), /damaged: .*activatedAt|damaged: not exactly one current key/],
    [good.replaceAll(one, '../../../../etc/passwd'), /kid is not a key id/],
    [good.replaceAll(one, other), /thumbprint/],
    [good.replace(/"x": "./, '"x": "!'), /thumbprint/],
    [good.replace('"alg": "ES256"', '"alg": "none"'), /alg is not a known algorithm/],
    [good.replace(/"createdAt": "[^"]*"/, '"createdAt": "yesterday"'), /createdAt is not a date/],
  ];
  for (const [content, problem] of cases) {
    await writeFile(manifest, content);
    for (const call of [() => store.load(), () => store.rotate({ now: after(300), algorithm: 'ES256', force: true })]) {
      await assert.rejects(call(), (error) => {
        assert.ok(error instanceof KeyStoreError);
        assert.ok(error.message.includes(manifest), error.message);
        assert.match(error.message, problem);
        assert.doesNotMatch(error.message, /MIGHAgEA/);
        return true;
      });
    }
    assert.equal(await readFile(manifest, 'utf8'), content);
  }
});

test('private members someone put into the manifest are not published', async (t) => {
  const { manifest, store } = await newStore(t);
  await store.load();
  const good = await readFile(manifest, 'utf8');
  await writeFile(manifest, good.replaceAll('"kty"', '"d": "c2VjcmV0", "kty"'));
  for (const { publicJwk } of (await store.load()).records) assert.ok(!('d' in publicJwk));
});

test('a lost manifest is not replaced by a new ring', async (t) => {
  const { directory, manifest, store } = await newStore(t);
  await store.load();
  await rm(manifest);
  await assert.rejects(store.load(), /keyring\.json is missing, but there are key files/);
  for (const name of await pemFiles(directory)) await rm(join(directory, name));
  await assert.rejects(store.load(), /holds no signing keys, but there were some/, 'a running process keeps its keys');
  const options = { directory, algorithm: 'ES256', maxTokenLifetimeSeconds: 3600 } as const;
  await assert.rejects(keyfileStore({ ...options, mayCreate: false }).load(), /holds no signing keys/);
  assert.equal((await keyfileStore(options).load()).records.length, 2, 'a new process makes some, if it may');
});

test('a damaged, foreign or missing key file is named, without its content', async (t) => {
  const { directory, store } = await newStore(t);
  const { records } = await store.load();
  const path = join(directory, `${kidOf(records, 'current')}.pem`);
  const good = await readFile(path, 'utf8');
  const other = await readFile(join(directory, `${kidOf(records, 'next')}.pem`), 'utf8');
  for (const [content, problem] of [
    [good.slice(0, 80), /damaged: not an unencrypted PKCS#8 private key/],
    ['', /damaged/],
    [other, /holds another key/],
  ] as const) {
    await writeFile(path, content);
    await assert.rejects(store.load(), (error) => {
      assert.ok(error instanceof KeyStoreError);
      assert.ok(error.message.includes(path));
      assert.match(error.message, problem);
      assert.ok(!error.message.includes('MIGHAgEA') && error.cause === undefined);
      return true;
    });
  }
  await rm(path);
  await assert.rejects(store.load(), /\.pem is missing, but .*keyring\.json names it/);
});

test('a next key that is lost refuses rotation, and force replaces it', async (t) => {
  const { directory, clock, store } = await newStore(t);
  const { records } = await store.load();
  const lost = kidOf(records, 'next');
  await rm(join(directory, `${lost}.pem`));
  clock.at = after(300);
  await store.load();
  await assert.rejects(store.rotate({ now: clock.at, algorithm: 'ES256' }), new RegExp(`${lost}\\.pem is missing`));
  const rotated = await store.rotate({ now: clock.at, algorithm: 'ES256', force: true });
  assert.ok(records.every(({ kid }) => kid !== rotated.kid));
  assert.equal((await store.load()).signer.kid, rotated.kid);
});

test('rights of group or others are refused; an empty directory is closed instead', async (t) => {
  const { directory, manifest, store } = await newStore(t);
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o755);
  const { records } = await store.load();
  assert.equal(await mode(directory), 0o700);
  const keyFiles = records.map(({ kid }) => join(directory, `${kid}.pem`));
  for (const path of [directory, manifest, ...keyFiles]) {
    const right = await mode(path);
    for (const extra of [0o040, 0o004, 0o020]) {
      await chmod(path, right | extra);
      await assert.rejects(store.load(), (error) => {
        assert.ok(error instanceof KeyStoreError);
        assert.match(error.message, /open to group or others/);
        assert.ok(error.message.includes(path));
        return true;
      });
    }
    await chmod(path, right);
  }
  await store.load();
});

test('a directory that others use is not closed for them but refused', async (t) => {
  const { directory, store } = await newStore(t);
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o755);
  await writeFile(join(directory, 'notes.txt'), 'hello');
  await assert.rejects(store.load(), /open to group or others \(mode 755\)/);
  assert.deepEqual(await readdir(directory), ['notes.txt']);
});

test('what a crash leaves is ignored, finished, and cleared away later', async (t) => {
  const { directory, manifest, clock, store } = await newStore(t);
  // Killed while making the first keys: the empty manifest, one key, a half-written manifest, the lock.
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const stray = [`${'A'.repeat(22)}.pem`, '.keyring.json.6f1c1f0e-3c0b-4a53-9d5a-0d3c3f3c9d11.tmp'];
  const files: [string, string][] = [
    ['keyring.json', '{"version":1,"keys":[]}'],
    [stray[0] ?? '', 'half a key'],
    [stray[1] ?? '', '{"version":1,"ke'],
    ['keyring.lock', JSON.stringify({ token: 'x', pid: process.pid, host: hostname() })],
  ];
  for (const [name, content] of files) await writeFile(join(directory, name), content, { mode: 0o600 });

  const { records } = await store.load();
  assert.equal(records.length, 2);
  clock.at = after(300);
  await store.rotate({ now: clock.at, algorithm: 'ES256' });
  for (const name of stray) assert.ok((await readdir(directory)).includes(name), 'young: may belong to someone');

  const longAgo = new Date(Date.now() - 3_700_000);
  for (const name of stray) await utimes(join(directory, name), longAgo, longAgo);
  clock.at = after(600);
  await store.rotate({ now: clock.at, algorithm: 'ES256' });
  const expected = (await store.load()).records.map(({ kid }) => `${kid}.pem`);
  assert.deepEqual((await readdir(directory)).sort(), [...expected, 'keyring.json'].sort());
  assert.equal(await mode(manifest), 0o600);
});

/** Takes the lock away from a change under way, as happens to one that was suspended for long. */
async function stealLock(directory: string, whenReady: () => Promise<boolean>) {
  const lock = join(directory, 'keyring.lock');
  const ready = async () => (await readFile(lock, 'utf8').catch(() => '')) !== '' && (await whenReady());
  while (!(await ready())) await new Promise(setImmediate);
  await writeFile(lock, '{"token":"someone else","pid":1,"host":"elsewhere"}', { mode: 0o600 });
  return () => rm(lock);
}

test('a rotation that lost its lock leaves the ring as it was', async (t) => {
  const { directory, manifest, store } = await newStore(t);
  const before = await store.load();
  const text = await readFile(manifest, 'utf8');
  const rotation = store.rotate({ now: after(300), algorithm: 'RS256' });
  await stealLock(directory, async () => true);
  await assert.rejects(rotation, /keyring\.lock was lost/);
  assert.equal(await readFile(manifest, 'utf8'), text);
  assert.deepEqual((await store.load()).records, before.records);
});

test('a first use interrupted between its keys is finished by the next', async (t) => {
  const { directory } = await newStore(t);
  const store = keyfileStore({ directory, algorithm: 'RS256', maxTokenLifetimeSeconds: 3600 });
  const interrupted = store.load();
  const giveBack = await stealLock(directory, async () => (await pemFiles(directory)).length === 1);
  await assert.rejects(interrupted, /keyring\.lock was lost/);
  await giveBack();
  assert.equal((await store.load()).records.length, 2);
});
