import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesUnder } from '../scripts/lib/files.mjs';
import { importsIn, importsOf } from '../scripts/lib/imports.mjs';

/** Folders and root files of each src, in the order of docs/architecture.md: imports point to the left only. */
const order = {
  runtime: [
    'errors',
    'tensor',
    'numerics',
    'cells',
    'encodings',
    'model',
    'front-end',
    'file',
    'lower',
    'engine',
    'session',
  ],
  gatefold: [
    ...['data', 'train', 'evaluate', 'compress', 'recipe', 'search', 'explain', 'report', 'formats', 'codegen'],
    ...['node', 'cli'],
  ],
};
/** The composition root and the entry points come last. */
const roots = { runtime: ['create-session.ts', 'index.ts', 'reference.ts'], gatefold: ['index.ts'] };
const runtimeNames = ['@gatefold/runtime', '@gatefold/runtime/reference'];

for (const name of ['runtime', 'gatefold'] as const) {
  const src = `packages/${name}/src`;
  const files = filesUnder(src).filter((file) => file.endsWith('.ts'));
  const placeOf = (file: string) => posix.relative(src, file).split('/')[0]!;
  const rank = (file: string) => [...order[name], ...roots[name]].indexOf(placeOf(file));

  describe(`imports of packages/${name}`, () => {
    it('has every file in a folder of the plan', () => {
      expect(files.filter((file) => rank(file) < 0)).toEqual([]);
    });

    it('imports only files that exist, inside its own src', () => {
      expect(edges(files).filter(([, to]) => !files.includes(to))).toEqual([]);
    });

    it('imports only from its own folder and from earlier ones', () => {
      const upward = edges(files).filter(([from, to]) => rank(to) > rank(from));
      expect(upward.map(show)).toEqual([]);
    });

    it('has no cycle between files', () => {
      expect(cycleAmong(files)?.join(' → ')).toBeUndefined();
    });

    it('imports only the packages it may', () => {
      const found = files.flatMap((file) => importsOf(file).packages.map((target): Edge => [file, target]));
      expect(found.filter(([file, target]) => !mayImport(name, placeOf(file), target)).map(show)).toEqual([]);
    });
  });
}

describe('the import reader', () => {
  it('sees every form, types included, and no comment', () => {
    const source = [
      `import a, { type B } from './a.ts';`,
      `import type {`,
      `  C,`,
      `} from "./c.ts";`,
      `export * from './d.ts';`,
      `export type { E } from './e.ts';`,
      `import './f.ts';`,
      `const g = await import('./g.ts');`,
      `type H = typeof import('./h.ts');`,
      `// import './no.ts';`,
      ` * import { x } from './no.ts';`,
    ].join('\n');
    expect(importsIn(source).sort()).toEqual([...'acdefgh'].map((letter) => `./${letter}.ts`));
  });
});

type Edge = [from: string, to: string];

function show([from, to]: Edge): string {
  return `${from} imports ${to}`;
}

function edges(files: string[]): Edge[] {
  return files.flatMap((file) => importsOf(file).relative.map((target): Edge => [file, target]));
}

function mayImport(name: 'runtime' | 'gatefold', folder: string, target: string): boolean {
  if (name === 'runtime') return false;
  if (isBuiltin(target)) return folder === 'node' || folder === 'cli';
  return !target.startsWith('@gatefold/') || runtimeNames.includes(target);
}

/** The files of one cycle, the first repeated at the end. */
function cycleAmong(files: string[]): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): string[] | undefined => {
    if (done.has(file)) return undefined;
    const start = path.indexOf(file);
    if (start >= 0) return [...path.slice(start), file];
    path.push(file);
    for (const next of importsOf(file).relative.filter((target) => files.includes(target))) {
      const cycle = visit(next);
      if (cycle) return cycle;
    }
    path.pop();
    done.add(file);
    return undefined;
  };
  for (const file of files) {
    const cycle = visit(file);
    if (cycle) return cycle;
  }
  return undefined;
}
