import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Serve } from '../commands/serve.ts';
import { readPlainLine } from './plain-line.ts';

const root = fileURLToPath(import.meta.url);

afterEach(() => {
  delete process.env.AUTHPLANE_CONFIG;
});

/** What the command itself makes of the same words; `undefined` when it refuses them. */
const readByFramework = async (words: string[]) => {
  class Reader extends Serve {
    override async run(): Promise<void> {
      const { flags } = await this.parse(Serve);
      found = flags;
    }
    override async catch(): Promise<void> {}
  }
  let found: Awaited<ReturnType<Reader['parse']>>['flags'] | undefined;
  await Reader.run(words, root);
  return (
    found && {
      configPath: found.config,
      role: found.role,
      newSigningKeys: found['new-signing-keys'] ?? false,
      workers: found.workers,
    }
  );
};

const plain: readonly (readonly [line: string, config?: string])[] = [
  [''],
  ['--role token'],
  ['--role=admin --config=a.yaml'],
  ['--config a.yaml', 'b.yaml'],
  ['', 'b.yaml'],
  ['', ''],
  ['--workers 4 --new-signing-keys'],
  ['--workers=256'],
];

for (const [line, config] of plain)
  test(`serve ${line} means the same to both readers${config === undefined ? '' : `, AUTHPLANE_CONFIG="${config}"`}`, async () => {
    if (config !== undefined) process.env.AUTHPLANE_CONFIG = config;
    const words = line.split(' ').filter((word) => word !== '');
    const { env, ...read } = readPlainLine(words, process.env) ?? assert.fail('not read');
    assert.equal(env, process.env);
    assert.deepEqual(read, await readByFramework(words));
  });

for (const line of [
  '--help',
  '-h',
  '--role none',
  '--workers 0',
  '--workers 257',
  '--workers 1e2',
  '--workers',
  'x',
  '--json',
  '--rol token',
  '--role',
  '--role token --role admin',
  '--config a.yaml --config b.yaml',
])
  test(`serve ${line} is left to the framework`, () => assert.equal(readPlainLine(line.split(' '), {}), undefined));
