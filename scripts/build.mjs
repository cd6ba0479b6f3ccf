// Builds the packages from a clean checkout: `node scripts/build.mjs [--if-changed]`
//
// 1. the WASM kernels (packages/runtime/assembly), written into its sources;
// 2. the training kernels (packages/gatefold/assembly), likewise;
// 3. packages/runtime and packages/gatefold, compiled to their dist folders.
//
// With --if-changed a step whose inputs have the contents of its last success is skipped.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, rmSync, symlinkSync } from 'node:fs';
import { at, filesUnder, hashOf, readStamp, root, writeStamp } from './lib/files.mjs';
import { closureOf } from './lib/imports.mjs';

const kernels = 'packages/runtime/src/engine/wasm/generated/kernels.ts';
const trainingKernels = 'packages/gatefold/src/train/backend/generated/kernels.ts';
const packages = ['packages/runtime', 'packages/gatefold'];
const isGenerated = (file) => file.includes('/generated/');

const steps = [
  {
    name: 'kernels',
    inputs: () => [
      ...filesUnder('packages/runtime/assembly').filter((file) => !isGenerated(file)),
      'scripts/lib/kernels.mjs',
      // The tables that the kernels are generated from: see assembly/build.mjs.
      ...closureOf([
        'packages/runtime/src/lower/opcodes.ts',
        'packages/runtime/src/numerics/activation.ts',
        'packages/runtime/src/numerics/coefficients.ts',
      ]),
      'node_modules/assemblyscript/package.json',
    ],
    outputs: () => [kernels],
    run: () => node('packages/runtime/assembly/build.mjs'),
  },
  {
    name: 'training-kernels',
    inputs: () => [
      ...filesUnder('packages/gatefold/assembly'),
      ...filesUnder('packages/runtime/assembly'),
      'node_modules/assemblyscript/package.json',
    ],
    outputs: () => [trainingKernels],
    run: () => node('packages/gatefold/assembly/build.mjs'),
  },
  {
    name: 'packages',
    inputs: () => [
      'tsconfig.base.json',
      ...packages.flatMap((folder) => [`${folder}/tsconfig.json`, `${folder}/package.json`]),
      ...packages.flatMap(sourcesOf),
      'node_modules/typescript/package.json',
    ],
    outputs: () => packages.flatMap(sourcesOf).map((file) => outputOf(file, '.js')),
    run() {
      removeOrphans();
      forgetIncomplete();
      node('node_modules/typescript/bin/tsc', '-b', ...packages, '--pretty', String(process.stdout.isTTY ?? false));
      linkCommand();
    },
  },
];

function node(...args) {
  const { status, error } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

function sourcesOf(folder) {
  return filesUnder(`${folder}/src`).filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'));
}

function outputOf(source, extension) {
  return source.replace('/src/', '/dist/').replace(/\.ts$/, extension);
}

/** What a deleted source left in dist would still be published. */
function removeOrphans() {
  const sources = packages.flatMap(sourcesOf);
  const wanted = new Set(sources.flatMap((file) => [outputOf(file, '.js'), outputOf(file, '.d.ts')]));
  for (const file of packages.flatMap((folder) => filesUnder(`${folder}/dist`))) {
    if (/\.(js|d\.ts)$/.test(file) && !wanted.has(file)) rmSync(at(file));
  }
}

/** tsc trusts its own notes and would not notice that an output is gone. */
function forgetIncomplete() {
  for (const folder of packages) {
    const isComplete = sourcesOf(folder).every((file) => existsSync(at(outputOf(file, '.js'))));
    if (!isComplete) rmSync(at(folder, 'dist/.tsbuildinfo'), { force: true });
  }
}

/** npm links a package's command when it installs, which in a fresh clone is before there is one. */
function linkCommand() {
  const main = 'packages/gatefold/dist/cli/main.js';
  if (!existsSync(at(main))) return;
  chmodSync(at(main), 0o755);
  const link = at('node_modules/.bin/gatefold');
  if (process.platform === 'win32' || lstatSync(link, { throwIfNoEntry: false })) return;
  symlinkSync(`../../${main}`, link);
}

const ifChanged = process.argv.includes('--if-changed');
for (const { name, inputs, outputs, run } of steps) {
  const hash = hashOf(inputs());
  const isCurrent = readStamp(name) === hash && outputs().every((file) => existsSync(at(file)));
  if (ifChanged && isCurrent) continue;
  run();
  writeStamp(name, hash);
}
