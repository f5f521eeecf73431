import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { version } from '@authserver/telemetry';
import {
  packageOf,
  readSourceFiles,
  resolveImport,
  root,
  type SourceFile,
  scanImports,
  workspaces,
} from '../support/source-files.ts';

const files = readSourceFiles();
const isTest = ({ path }: SourceFile) => path.endsWith('.test.ts') || path.startsWith('test/');

/** Fails with every violation, a line each. */
const none = (violations: string[]) => assert.deepEqual(violations, [], `\n${violations.join('\n')}\n`);

test('the scanner finds imports of every form', () => {
  const text = [
    "import type { A } from './a.ts';",
    "import { type B, type C } from './b.ts';",
    "import {\n  type D,\n  e,\n} from './d.ts';",
    "import * as f from './f.ts';",
    "export * from './g.ts';",
    "export { h } from './h.ts';",
    "import './i.ts';",
    `const j = await import(${"'./j.ts'"});`, // made here, so that this file does not seem to import it
    "const text = 'import nothing from here';",
  ].join('\n');
  assert.deepEqual(
    scanImports(text).map(({ specifier, typeOnly }) => [specifier, typeOnly]),
    [
      ['./a.ts', true],
      ['./b.ts', true],
      ['./d.ts', false],
      ['./f.ts', false],
      ['./g.ts', false],
      ['./h.ts', false],
      ['./i.ts', false],
      ['./j.ts', false],
    ],
  );
  assert.ok(files.length > 150, `${files.length} files were found`);
});

/** What a workspace may import of the others. */
const everyPackage = [
  'oauth',
  'config',
  'telemetry',
  'events',
  'outbound',
  'store',
  'replay',
  'keys',
  'http',
  'idp',
  'admin-api',
  'boot',
  'encryption',
  'vault',
  'exchange',
];
const mayImport: Record<string, readonly string[]> = {
  oauth: [],
  config: [],
  events: [],
  outbound: [],
  telemetry: ['oauth'], // denial reasons are label values
  store: ['oauth', 'telemetry'],
  replay: ['oauth', 'telemetry'],
  vault: ['outbound'], // its limiter
  encryption: ['vault'],
  exchange: ['oauth', 'store'],
  keys: ['oauth', 'telemetry', 'vault'],
  http: ['oauth', 'telemetry'],
  idp: ['oauth', 'outbound', 'telemetry'],
  'admin-api': ['oauth', 'telemetry'],
  boot: ['config', 'encryption', 'events', 'http', 'keys', 'store', 'telemetry', 'vault'],
  token: everyPackage,
  admin: everyPackage,
  cli: [...everyPackage, 'token', 'admin'],
  test: [...everyPackage, 'token', 'admin', 'cli', 'quickstart'],
  dashboards: ['telemetry'], // their metrics are those of the catalogue
  quickstart: [], // a stranger's program: the SDK and nothing of ours
};
const ours = '@authserver/';
const shortName = (name: string) => name.slice(ours.length);

test('a workspace imports only those below it', () => {
  none(
    workspaces.filter(({ name }) => !(shortName(name) in mayImport)).map(({ name }) => `${name} is not in the table`),
  );
  none(
    files.flatMap(({ path, workspace, imports }) =>
      imports
        .filter(({ specifier }) => specifier.startsWith(ours))
        .filter(({ specifier }) => !mayImport[shortName(workspace.name)]?.includes(shortName(packageOf(specifier))))
        .map(({ specifier }) => `${path} imports ${specifier}`),
    ),
  );
});

/** Where in a workspace another one may appear. */
const onlyIn: [workspace: string, imported: RegExp, places: RegExp, why: string][] = [
  [
    'cli',
    /^@authserver\/(token|admin|keys)$/,
    /^cli\/src\/(serve|doctor)\//,
    'a service only to serve it, and to look at its keys',
  ],
  [
    'cli',
    /^@authserver\/store$/,
    /^cli\/src\/(serve\/|doctor\/|commands\/(migrate|purge)\.ts$)/,
    'the store to migrate, to purge and to look at it',
  ],
  ['test', /^@authserver\/(token|admin)$/, /^test\/(support|contracts|bench)\//, 'features speak HTTP'],
];

test('the command line reaches services and the database in the few places that are meant to', () => {
  none(
    files.flatMap(({ path, workspace, imports }) =>
      imports.flatMap(({ specifier }) =>
        onlyIn
          .filter(
            ([name, imported, places]) =>
              shortName(workspace.name) === name && imported.test(specifier) && !places.test(path),
          )
          .map(([, , , why]) => `${path} imports ${specifier} (${why})`),
      ),
    ),
  );
});

test('a relative import stays in its workspace and leads to a file', () => {
  const known = new Set(files.map(({ path }) => path));
  none(
    files.flatMap(({ path, workspace, imports }) =>
      imports
        .filter(({ specifier }) => specifier.startsWith('.') && !specifier.endsWith('.json'))
        .map(({ specifier }) => resolveImport(path, specifier))
        .filter((target) => !target.startsWith(`${workspace.directory}/`) || !known.has(target))
        .map((target) => `${path} imports ${target}`),
    ),
  );
});

test('a package that is imported is named in package.json', () => {
  none(
    files.flatMap(({ path, workspace, imports }) =>
      imports
        .map(({ specifier }) => specifier)
        .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
        .map(packageOf)
        .filter((name) => name !== workspace.name && !workspace.dependencies.includes(name))
        .map((name) => `${path} imports ${name}`),
    ),
  );
});

/**
 * The layers inside the token service: a file may use its own folder and those after it. Types may point back, since an
 * `Authorization` is named by the grants and read by the issuer.
 */
const layers = [
  ['routes'],
  ['grants', 'authorization'],
  ['clients', 'tokens', 'dpop', 'xaa', 'broker', 'oidc'],
  ['views'],
];
const layerOf = (path: string): number => {
  const folder = /^services\/token\/src\/([^/]+)\//.exec(path)?.[1];
  return layers.findIndex((layer) => folder !== undefined && layer.includes(folder));
};

test('inside the token service arrows point one way', () => {
  none(
    files
      .filter((file) => !isTest(file) && layerOf(file.path) >= 0)
      .flatMap(({ path, imports }) =>
        imports
          .filter(({ specifier, typeOnly }) => specifier.startsWith('.') && !typeOnly)
          .map(({ specifier }) => resolveImport(path, specifier))
          .filter((target) => layerOf(target) >= 0 && layerOf(target) < layerOf(path))
          .map((target) => `${path} imports ${target}`),
      ),
  );
});

test('routes, handlers and views are reached from the composition root, never from below', () => {
  const top = /^services\/(token|admin)\/src\/(app|deps|start|main)\.ts$/;
  none(
    files
      .filter((file) => !isTest(file) && /^services\/\w+\/src\/\w+\//.test(file.path))
      .flatMap(({ path, imports }) =>
        imports
          .filter(({ specifier, typeOnly }) => specifier.startsWith('.') && !typeOnly)
          .map(({ specifier }) => resolveImport(path, specifier))
          .filter((target) => top.test(target))
          .map((target) => `${path} imports ${target}`),
      ),
  );
});

test('no files import each other in a circle', () => {
  const graph = new Map(
    files.map(({ path, imports }) => [
      path,
      imports
        .filter(({ specifier, typeOnly }) => specifier.startsWith('.') && !typeOnly)
        .map(({ specifier }) => resolveImport(path, specifier)),
    ]),
  );
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: string[]): void => {
    if (trail.includes(path)) circles.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
    if (done.has(path) || trail.includes(path)) return;
    for (const target of graph.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  none(circles);
});

test('a file can be read in one go', () => {
  none(
    files
      .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
      .filter(({ lines }) => lines > 400)
      .map(({ path, lines }) => `${path} has ${lines} lines`),
  );
});

test('every file is named for what it does', () => {
  none(files.map(({ path }) => path).filter((path) => /(^|[/.-])(utils?|common|helpers?|misc)([/.-]|$)/i.test(path)));
  none(files.map(({ path }) => path).filter((path) => !/^[a-z0-9/.-]+$/.test(path)));
});

test('unfinished work has an issue number', () => {
  const marker = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b(?!\\(#\\d+\\))`);
  none(
    files.flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, index) => (marker.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
    ),
  );
});

test('code receives its settings and never reads the environment', () => {
  none(
    files
      .filter(
        (file) => !isTest(file) && /^(packages|services)\//.test(file.path) && !/\/src\/main\.ts$/.test(file.path),
      )
      .filter(({ text }) => /\bprocess\.env\b/.test(text))
      .map(({ path }) => path),
  );
});

test('every package has the version of the release', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  none(
    [...workspaces, { name: 'the repository', version: manifest.version as string }]
      .filter((workspace) => workspace.version !== version)
      .map((workspace) => `${workspace.name} is ${workspace.version}, not ${version}`),
  );
});

test('every decision has a number of its own, in its name and in its title', () => {
  const pages = readdirSync(join(root, 'docs/decisions')).sort();
  const numbers = pages.map((page) => page.slice(0, 4));
  none(pages.filter((_page, at) => numbers[at] === numbers[at - 1]));
  none(
    pages.filter(
      (page) => !readFileSync(join(root, 'docs/decisions', page), 'utf8').startsWith(`# ${page.slice(0, 4)}. `),
    ),
  );
});
