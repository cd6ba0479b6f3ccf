import {
  blockGrid,
  type Encoding,
  keptWeights,
  partsOf,
  type SimpleEncoding,
  sizeOf,
  type Weight,
} from '@gatefold/runtime';

export interface Pruning {
  /** Rows × columns. */
  readonly block: readonly [number, number];
  /** Share of the blocks that stay. */
  readonly density: number;
  /** Whether the weight says which blocks were removed, or only has the zeros. */
  readonly silent?: true;
  /** Whether the diagonal stays whatever its block. */
  readonly diagonal?: true;
}

/** The weight with blocks removed at random; every table of levels is given a 0. */
export function prune(weight: Weight, random: () => number, rowsPerGate: number, pruning: Pruning): Weight {
  const { shape } = weight;
  const frame = { block: pruning.block, gateRows: rowsPerGate };
  const [rows, columns] = blockGrid(shape, frame);
  const kept = Uint8Array.from({ length: rows * columns }, () => (random() < pruning.density ? 1 : 0));
  const sparsity = { ...frame, kept, ...(pruning.diagonal ? { diagonal: true as const } : {}) };
  const stays = keptWeights({ shape, sparsity })!;
  const wide = sizeOf(shape) / shape[0]!;
  const parts = partsOf(weight.encoding, shape[0]!).map((part) => ({
    rows: part.rows,
    encoding: zeroed(part.encoding, stays.subarray(part.from * wide, (part.from + part.rows) * wide)),
  }));
  const encoding: Encoding = weight.encoding.kind === 'concat' ? { kind: 'concat', parts } : parts[0]!.encoding;
  return { ...weight, encoding, ...(pruning.silent ? {} : { sparsity }) };
}

function zeroed(encoding: SimpleEncoding, stays: Uint8Array): SimpleEncoding {
  if (encoding.kind === 'dense') return { ...encoding, values: encoding.values.map((v, i) => (stays[i] ? v : 0)) };
  if (encoding.kind === 'affine') {
    const codes = encoding.codes.slice();
    for (let i = 0; i < codes.length; i++) if (!stays[i]) codes[i] = 0;
    return { ...encoding, codes };
  }
  // The second level becomes the zero, so that the zero's code is none that packing would give by itself.
  const levels = encoding.levels.map((level, i) => (i % (1 << encoding.bits) === 1 ? 0 : level === 0 ? 1 : level));
  return { ...encoding, levels, codes: encoding.codes.map((code, i) => (stays[i] ? code : 1)) };
}
