import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { at, filesUnder } from '../scripts/lib/files.mjs';

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

describe('the files of the repository', () => {
  it('name no path of the machine they were written on', () => {
    const machinePath = new RegExp(['(^|[^\\w.])', '(work|root|home|Users)', '[\\w.-]'].join('\\/'), 'm');
    const found = textsUnder('.').filter((file) => machinePath.test(readFileSync(at(file), 'utf8')));
    expect(found).toEqual([]);
  });
});

/** Text files, without what .gitignore leaves out: git itself may be absent, or refuse the owner of a checkout. */
function textsUnder(folder: string): string[] {
  const ignored = /^(node_modules|dist|out|generated|results|__pycache__|\.git|\.venv.*)$/;
  return readdirSync(at(folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (ignored.test(entry.name)) return [];
    if (entry.isDirectory()) return textsUnder(path);
    return entry.isFile() && isText(path) ? [path] : [];
  });
}

function isText(path: string): boolean {
  const binary = /\.(h5|hdf5|keras|npz|npy|gatefold|onnx|tflite|png|tsbuildinfo)$/;
  return !binary.test(path) && !readFileSync(at(path)).subarray(0, 8000).includes(0);
}
