import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { at, filesUnder, root } from '../scripts/lib/files.mjs';

interface Manifest {
  version: string;
  license: string;
  engines: { node: string };
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  bin?: Record<string, string>;
  exports: Record<string, Record<string, string>>;
}

const names = ['runtime', 'gatefold'] as const;
const manifestOf = (folder: string): Manifest => JSON.parse(readFileSync(at(folder, 'package.json'), 'utf8'));
const manifests = names.map((name) => [name, manifestOf(`packages/${name}`)] as const);

describe('packages', () => {
  it.each(manifests)('%s is MIT, for the Node of the repository, in the common version', (_, manifest) => {
    const rootManifest = manifestOf('.');
    expect(manifest.license).toBe('MIT');
    expect(manifest.engines).toEqual(rootManifest.engines);
    expect(manifest.version).toBe(manifests[0]![1].version);
  });

  it.each(manifests)('%s exports what a source file stands behind', (name, manifest) => {
    const targets = [...Object.values(manifest.exports).flatMap(Object.values), ...Object.values(manifest.bin ?? {})];
    const twin = (target: string) =>
      target.replace('./dist/', `packages/${name}/src/`).replace(/(\.d\.ts|\.js)$/, '.ts');
    expect(targets.filter((target) => !existsSync(at(twin(target))))).toEqual([]);
  });

  it('the runtime depends on nothing', () => {
    const { dependencies, peerDependencies, optionalDependencies } = manifestOf('packages/runtime');
    expect({ ...dependencies, ...peerDependencies, ...optionalDependencies }).toEqual({});
  });

  it('the toolkit depends on the runtime of its own version', () => {
    const { version, dependencies } = manifestOf('packages/gatefold');
    expect(dependencies?.['@gatefold/runtime']).toBe(version);
  });
});

describe('the size of source files', () => {
  const lengths = names
    .flatMap((name) => filesUnder(`packages/${name}/src`))
    .filter((file) => file.endsWith('.ts') && !file.includes('/generated/'))
    .map((file) => ({ file, lines: readFileSync(at(file), 'utf8').trimEnd().split('\n').length }))
    .sort((a, b) => a.lines - b.lines);

  it('has a median under 150 lines', () => {
    expect(lengths[lengths.length >> 1]!.lines).toBeLessThan(150);
  });

  it('is never above 400 lines', () => {
    expect(lengths.filter(({ lines }) => lines > 400)).toEqual([]);
  });
});

describe('tracked files', () => {
  it('name no path of the machine they were written on', () => {
    const files = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0');
    const machinePath = new RegExp(['(^|[^\\w.])', '(work|root|home|Users)', '[\\w.-]'].join('\\/'), 'm');
    const found = files
      .filter((file) => file && existsSync(at(file)))
      .filter((file) => {
        const bytes = readFileSync(at(file));
        return !bytes.subarray(0, 8000).includes(0) && machinePath.test(bytes.toString('utf8'));
      });
    expect(found).toEqual([]);
  });
});
