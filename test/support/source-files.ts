import { globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** The workspaces of this repository; the tests know them by their directory. */
const workspacePatterns = ['packages/*', 'services/*', 'cli', 'test', 'docs/quickstart'];

export type Workspace = { directory: string; name: string; version: string; dependencies: string[] };
export type Import = { specifier: string; typeOnly: boolean };
export type SourceFile = { path: string; workspace: Workspace; text: string; imports: Import[] };

export const workspaces: Workspace[] = globSync(
  workspacePatterns.map((pattern) => `${pattern}/package.json`),
  {
    cwd: root,
  },
)
  .sort()
  .map((file) => {
    const manifest = JSON.parse(readFileSync(join(root, file), 'utf8'));
    const dependencies = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'].flatMap(
      (kind) => Object.keys(manifest[kind] ?? {}),
    );
    return { directory: dirname(file), name: manifest.name, version: manifest.version, dependencies };
  });

const insideNodeModules = (path: string) => path.split('/').includes('node_modules');

/** Every source file of the workspaces, with what it imports. Paths are relative to the repository. */
export const readSourceFiles = (): SourceFile[] =>
  workspaces.flatMap((workspace) =>
    globSync('**/*.{ts,tsx,js,mjs}', { cwd: join(root, workspace.directory), exclude: insideNodeModules })
      .filter((path) => !insideNodeModules(path) && !/(^|\/)(dist|artifacts)\//.test(path))
      .sort()
      .map((file) => {
        const path = join(workspace.directory, file);
        const text = readFileSync(join(root, path), 'utf8');
        return { path, workspace, text, imports: scanImports(text) };
      }),
  );

const declaration = /^(?:import|export)\s+(type\s+)?([^'";]*?)\s*from\s+'([^']+)'/gm;
const sideEffect = /^import\s+'([^']+)'/gm;
const dynamic = /\bimport\(\s*'([^']+)'\s*\)/g;

/** What a module imports. Our sources are formatted by one tool, so a declaration starts its line and uses single quotes. */
export const scanImports = (text: string): Import[] => [
  ...[...text.matchAll(declaration)].map(([, type, names = '', specifier = '']) => ({
    specifier,
    typeOnly: type !== undefined || namesTypesOnly(names),
  })),
  ...[...text.matchAll(sideEffect)].map(([, specifier = '']) => ({ specifier, typeOnly: false })),
  ...[...text.matchAll(dynamic)].map(([, specifier = '']) => ({ specifier, typeOnly: false })),
];

const namesTypesOnly = (names: string): boolean => {
  const listed = /^\{([\s\S]*)\}$/.exec(names.trim())?.[1];
  if (listed === undefined) return false;
  const parts = listed.split(',').map((part) => part.trim());
  return parts.filter((part) => part !== '').every((part) => part.startsWith('type '));
};

/** The repository path a relative import leads to. */
export const resolveImport = (from: string, specifier: string): string =>
  resolve('/', dirname(from), specifier).slice(1);

/** The package of a bare specifier: `@scope/name/part` is `@scope/name`. */
export const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
