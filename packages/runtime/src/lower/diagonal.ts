import { decode, partsOf, type SimpleEncoding, type Weight } from '../encodings/index.ts';
import { fail } from '../errors/index.ts';
import { roundUp, sizeOf } from '../tensor/index.ts';
import type { Builder } from './builder.ts';
import { emitBinary } from './ops/elementwise.ts';
import type { Product } from './product.ts';

/** Weights on the diagonal of each gate. */
export function diagonalLength({ shape, sparsity }: Weight): number {
  return Math.min(sparsity!.gateRows, sizeOf(shape.slice(1)));
}

/** The weight with 0 on the diagonals that stand on their own; the weight itself where none do. */
export function withoutDiagonal(weight: Weight): Weight {
  const { shape, sparsity } = weight;
  if (!sparsity?.diagonal) return weight;
  const columns = sizeOf(shape.slice(1));
  const parts = partsOf(weight.encoding, shape[0]!).map(({ from, rows, encoding }) => {
    const clear = <T extends Float32Array | Int8Array | Int16Array>(values: T): T => {
      for (let row = 0; row < rows; row++) {
        const within = (from + row) % sparsity.gateRows;
        if (within < columns) values[row * columns + within] = 0;
      }
      return values;
    };
    return { rows, encoding: cleared(encoding, [rows, columns], clear) };
  });
  return { ...weight, encoding: parts.length === 1 ? parts[0]!.encoding : { kind: 'concat', parts } };
}

function cleared(
  encoding: SimpleEncoding,
  shape: readonly number[],
  clear: <T extends Float32Array | Int8Array | Int16Array>(values: T) => T,
): SimpleEncoding {
  if (encoding.kind === 'dense') return { ...encoding, values: clear(encoding.values.slice()) };
  if (encoding.kind === 'affine') return { ...encoding, codes: clear(encoding.codes.slice()) };
  if (encoding.bits > 4) return { kind: 'dense', type: 'f32', values: clear(decode({ encoding, shape })) };
  // A table need not have a 0; its levels are 8-bit codes of the same scale.
  const { codes, levels, bits, rowsPerTable, scaleType, rowsPerGroup, scales } = encoding;
  const columns = shape[1]!;
  const spelled = Int8Array.from(codes, (code, i) => {
    const row = Math.floor(i / columns);
    return levels[(Math.floor(row / rowsPerTable) << bits) + code]!;
  });
  return { kind: 'affine', bits: 8, codes: clear(spelled), scaleType, rowsPerGroup, scales };
}

/** Emits dst ← dst + d·x, element by element in each gate, with the operand as float32 whatever the rest is multiplied in. */
export function emitDiagonal(builder: Builder, product: Product): void {
  const { weight, name, place, src, dst, time, blockRows, first, count } = product;
  const { gateRows } = weight.sparsity!;
  if (gateRows !== blockRows) {
    fail('MODEL_UNSUPPORTED', 'the diagonal of a weight is that of other gates than its product has', {
      place,
      expected: `gates of ${blockRows} rows`,
      found: `${gateRows}`,
    });
  }
  const n = diagonalLength(weight);
  const pitch = roundUp(blockRows, 16);
  const constant = builder.constants.once(`${name}|diagonal`, () => {
    const values = decode(weight);
    const columns = values.length / weight.shape[0]!;
    const out = new Float32Array((weight.shape[0]! / blockRows) * pitch);
    for (let row = 0; row < weight.shape[0]!; row++) {
      const within = row % blockRows;
      if (within < n) out[Math.floor(row / blockRows) * pitch + within] = values[row * columns + within]!;
    }
    return out;
  });
  const products = builder.vector(time, n);
  for (let gate = 0; gate < count; gate++) {
    const own = { ref: { buffer: dst.ref.buffer, offset: dst.ref.offset + gate * pitch }, width: n };
    emitBinary(
      builder,
      time,
      'multiply',
      { ref: src.ref },
      { constant: constant + (first + gate) * pitch * 4 },
      products,
    );
    emitBinary(builder, time, 'add', { ref: own.ref }, { ref: products.ref }, own);
  }
}
