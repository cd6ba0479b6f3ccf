import { describe, expect, it } from 'vitest';
import { randomSource, randomValues } from '../../../runtime/test/support/random.ts';
import { type Build, bestBuild } from '../../src/train/backend/builds.ts';
import { Float64Backend } from '../../src/train/backend/float64.ts';
import type { Backend, Matrix } from '../../src/train/backend/types.ts';
import { WasmBackend } from '../../src/train/backend/wasm.ts';

const builds: Build[] = bestBuild() === 'relaxed' ? ['simd128', 'relaxed'] : ['simd128'];

it('are made by the relaxed build where it must be there', () => {
  if (process.env.GATEFOLD_REQUIRE_RELAXED === '1') expect(builds).toContain('relaxed');
});

// m, n, k: whole tiles and every rest of them, more than one block of columns and of depth.
const shapes: [number, number, number][] = [
  ...[1, 2, 3, 4, 5].flatMap((m) => [1, 4, 7, 8, 11, 12, 13, 24].map((n): [number, number, number] => [m, n, 9])),
  [7, 400, 5],
  [4, 13, 300],
  [5, 385, 257],
  [33, 28, 64],
];

/** A product into the middle of a wider matrix, whose other columns must stay. */
function product(backend: Backend, [m, n, k]: [number, number, number], transposeA: boolean, transposeB: boolean) {
  const random = randomSource(m + 7 * n + 31 * k);
  const filled = (rows: number, cols: number): Matrix => {
    const matrix = { ...backend.alloc(rows, cols + 3), cols };
    backend.write(matrix, randomValues(random, rows * cols));
    return matrix;
  };
  const a = transposeA ? filled(k, m) : filled(m, k);
  const b = transposeB ? filled(n, k) : filled(k, n);
  const around = filled(m, n + 2);
  const c = { ...around, at: around.at + 1, cols: n };
  backend.gemm(a, transposeA, b, transposeB, c, true);
  const added = backend.read(around);
  backend.gemm(a, transposeA, b, transposeB, c, false);
  const alone = backend.read(around);
  if (transposeA) return { added, alone };
  const packed = backend.pack(b, transposeB);
  backend.gemmPacked(a, packed, c, false);
  expect(backend.read(around)).toEqual(alone);
  return { added, alone };
}

describe.each(builds)('products of the %s build', (build) => {
  it('have the same bits from first to last, whatever V8 compiles anew meanwhile', () => {
    const backend = new WasmBackend(1e8, build);
    const again = () => product(backend, [35, 31, 100], false, true);
    const first = again();
    for (let i = 0; i < 200; i++) again();
    expect(again()).toEqual(first);
  });

  it.each(shapes)('%i × %i, %i deep, are those of float64', (...shape) => {
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        const found = product(new WasmBackend(1e8, build), shape, transposeA, transposeB);
        const wanted = product(new Float64Backend(), shape, transposeA, transposeB);
        for (const which of ['added', 'alone'] as const) {
          const worst = Math.max(...Array.from(found[which], (x, i) => Math.abs(x - wanted[which][i]!)));
          expect(worst).toBeLessThan(1e-6 * shape[2]);
        }
      }
    }
  });
});
