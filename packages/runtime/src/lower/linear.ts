import type { SimpleEncoding, Weight } from '../encodings/index.ts';
import { fail } from '../errors/index.ts';
import { roundUp, sizeOf } from '../tensor/index.ts';
import type { Builder, Coded, Vector } from './builder.ts';
import { type Codes, codesOf } from './codes.ts';
import { type Entries, entryIndex, findEntries, packEntries } from './csr.ts';
import { diagonalLength, emitDiagonal, withoutDiagonal } from './diagonal.ts';
import { packColumns, packNibbles, packQuads } from './pack.ts';
import type { Product } from './product.ts';
import type { Operand } from './program.ts';
import { type Segment, segments } from './segments.ts';
import {
  eachWeight,
  findTiles,
  packByteTiles,
  packFloatTiles,
  packNibbleTiles,
  type Tiles,
  tileIndex,
} from './tiles.ts';

/** The kernel that executes a segment, chosen by encoding and operand. */
type Kernel =
  | { readonly op: 'linearF32' }
  | { readonly op: 'linearCodes'; readonly wide: boolean }
  | { readonly op: 'linearI8' }
  | { readonly op: 'linearI4' };

function chooseKernel(encoding: SimpleEncoding, weight: Weight, blockRows: number, place: string): Kernel {
  const integers = weight.input.kind !== 'f32';
  const refuse = (what: string) =>
    fail('MODEL_INVALID', `${what} needs a float32 operand`, { place, found: weight.input.kind });
  if (encoding.kind === 'dense') return integers ? refuse('a float weight') : { op: 'linearF32' };
  if (encoding.bits > 8) return integers ? refuse('a weight of more than 8 bits') : { op: 'linearCodes', wide: true };
  if (encoding.kind === 'affine') {
    if (!integers) return { op: 'linearCodes', wide: false };
    return { op: encoding.bits <= 4 ? 'linearI4' : 'linearI8' };
  }
  if (encoding.bits > 4) return integers ? refuse('a table of more than 16 levels') : { op: 'linearF32' };
  if (!integers) return { op: 'linearCodes', wide: false };
  // A strip of 16 rows has one table in registers.
  return { op: encoding.rowsPerTable % blockRows === 0 || encoding.rowsPerTable % 16 === 0 ? 'linearI4' : 'linearI8' };
}

/**
 * Emits dst ← W·src for the chosen gates, one instruction per run of rows that share a kernel; then, where the diagonal stands on its
 * own, dst ← dst + d·src.
 */
export function emitLinear(builder: Builder, product: Product): void {
  const { blockRows, first, count, place } = product;
  const weight = withoutDiagonal(product.weight);
  const columns = sizeOf(weight.shape.slice(1));
  // In a scan vectors change from step to step, but not between the segments of one product.
  let made: Coded | undefined;
  const coded = () => {
    made ??= builder.quantized(product.src, product.time, weight);
    return made;
  };
  for (const segment of segments(weight, blockRows, first * blockRows, count * blockRows, place)) {
    emitSegment(builder, { ...product, weight }, segment, columns, coded);
  }
  if (weight !== product.weight) emitDiagonal(builder, product);
}

function emitSegment(builder: Builder, product: Product, segment: Segment, columns: number, coded: () => Coded): void {
  const { weight, name, src, time, blockRows, first, add, bias, place } = product;
  const { encoding, rows } = segment;
  const kernel = chooseKernel(encoding, weight, blockRows, place);
  const key = `${name}|${kernel.op}|${first}|${segment.output}|${rows}`;
  const constant = (what: string, make: () => ArrayBufferView): Operand => ({
    addr: builder.constants.once(`${key}|${what}`, make),
  });
  const at = (vector: Vector): Operand => ({
    ref: { buffer: vector.ref.buffer, offset: vector.ref.offset + segment.output },
  });
  const strips = roundUp(rows, 16) / 16;
  const padded = strips * 16;
  const common = {
    rows: builder.rows(time),
    dst: at(product.dst),
    add: add && at(add),
    bias: bias === undefined ? undefined : { addr: bias + (first * roundUp(blockRows, 16) + segment.output) * 4 },
    strips: { value: strips },
    k: { value: columns },
  };
  const values = codesOf(encoding, segment, columns, weight);
  const perRow = (of: (row: number) => number) => () => {
    const out = new Float32Array(padded);
    for (let row = 0; row < rows; row++) out[row] = of(segment.from + row);
    return out;
  };
  const { tiles, entries } = zerosThatPay(kernel.op, rows, columns, values);
  const index =
    (tiles && constant('index', () => tileIndex(tiles))) ?? (entries && constant('index', () => entryIndex(entries)));
  if (kernel.op === 'linearF32' && tiles) {
    const weights = constant('tiles', () => packFloatTiles(tiles, rows, columns, values.real));
    builder.emit('sparseF32', { ...common, src: { ref: src.ref }, weights, index });
    return;
  }
  if (kernel.op === 'linearF32' && entries) {
    const weights = constant('entries', () => packEntries(entries, values.real));
    builder.emit('csrF32', { ...common, src: { ref: src.ref }, weights, index });
    return;
  }
  if (kernel.op === 'linearF32') {
    builder.emit('linearF32', {
      ...common,
      src: { ref: src.ref },
      weights: constant('f32', () => packColumns(new Float32Array(padded * columns), rows, columns, values.real)),
    });
    return;
  }
  const scales = constant('scales', perRow(values.scale));
  const offsets = values.offset && constant('offsets', perRow(values.offset));
  if (kernel.op === 'linearCodes') {
    const make = () =>
      packColumns(new (kernel.wide ? Int16Array : Int8Array)(padded * columns), rows, columns, values.level);
    builder.emit('linearCodes', {
      ...common,
      src: { ref: src.ref },
      weights: constant('codes', make),
      scales,
      offsets,
      wide: { value: kernel.wide ? 1 : 0 },
    });
    return;
  }
  const digits = weight.input.kind === 'u14' ? 2 : 1;
  const zero = weight.input.kind === 'f32' ? 0 : weight.input.zero / (digits === 2 ? 128 : 1);
  if (!Number.isInteger(zero))
    fail('MODEL_INVALID', 'the zero point of a 14-bit operand must be a multiple of 128', { place });
  const start = () => {
    const out = new Int32Array(padded);
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      for (let k = 0; k < columns; k++) sum += values.level(row, k);
      out[row] = -zero * sum;
    }
    return out;
  };
  const { codes, meta, plane } = coded();
  const integer = {
    ...common,
    codes: { ref: codes },
    meta: { ref: meta },
    scales,
    offsets,
    start: constant(`start${zero}`, start),
    digits: { value: digits },
    plane: { value: plane },
  };
  if (kernel.op === 'linearI8' && tiles) {
    const weights = constant('tiles', () => packByteTiles(tiles, rows, columns, values.level));
    builder.emit('sparseI8', { ...integer, weights, index });
    return;
  }
  if (kernel.op === 'linearI8') {
    builder.emit('linearI8', { ...integer, weights: constant('quads', () => packQuads(rows, columns, values.level)) });
    return;
  }
  const tables = constant('tables', () => values.tables(strips));
  if (tiles) {
    const weights = constant('tiles', () => packNibbleTiles(tiles, rows, columns, values.index));
    builder.emit('sparseI4', { ...integer, weights, index, tables });
    return;
  }
  const weights = constant('nibbles', () => packNibbles(rows, columns, values.index, 0));
  builder.emit('linearI4', { ...integer, weights, tables });
}

/**
 * The largest shares of tiles, and of single weights, with which sparse products are the faster ones. Measured by bench/sparse-kernels.mjs for
 * H = 64 … 1024, 1 and 16 rows a call, on Node 20 and 26: they cost what dense ones cost at 0.62 or more (float32), 0.77 or more (int8) and
 * 0.79 or more (int4) of the tiles, and at 0.13 or more of the weights (float32), with both builds. So one program serves both; and for
 * float32 it must, because a sparse product differs where x is not finite. Products of codes are too fast for lists of single weights.
 */
const sparseUpTo = { linearF32: 0.6, linearI8: 0.75, linearI4: 0.75 } as const;
const entriesUpTo = 0.13;

/** What to work on where leaving out the rest pays: tiles or single weights, whichever cost less. */
function zerosThatPay(
  op: Kernel['op'],
  rows: number,
  columns: number,
  values: Codes,
): { readonly tiles?: Tiles; readonly entries?: Entries } {
  if (op === 'linearCodes') return {};
  const read = op === 'linearF32' ? values.real : values.level;
  const tiles = findTiles(rows, columns, read, sparseUpTo[op]);
  // What they cost, as a share of what the dense product does.
  const cost = tiles ? (32 * tiles.count) / (rows * columns) / sparseUpTo[op] : 1;
  const entries = op === 'linearF32' ? findEntries(rows, columns, read, cost * entriesUpTo) : undefined;
  if (entries) return { entries };
  return tiles ? { tiles } : {};
}

/** How many weights of a matrix its products multiply: those worked on, or all. */
export function executedWeights(whole: Weight, gateRows: number, place: string): number {
  const weight = withoutDiagonal(whole);
  const columns = sizeOf(weight.shape.slice(1));
  let sum = weight === whole ? 0 : diagonalLength(whole) * (whole.shape[0]! / gateRows);
  for (const segment of segments(weight, gateRows, 0, weight.shape[0]!, place)) {
    const { rows, encoding } = segment;
    const { op } = chooseKernel(encoding, weight, gateRows, place);
    const { tiles, entries } = zerosThatPay(op, rows, columns, codesOf(encoding, segment, columns, weight));
    if (tiles) eachWeight(tiles, rows, columns, () => sum++);
    else sum += entries ? entries.count : rows * columns;
  }
  return sum;
}
