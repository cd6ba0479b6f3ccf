import { type AffineEncoding, fail, sizeOf, type Weight } from '@gatefold/runtime';
import { type Constant, realsOf } from './constant.ts';

/** Rows and columns of a stored matrix that make up one block of rows of a weight. */
export interface Block {
  readonly constant: Constant;
  /** Default: all rows. */
  readonly rows?: readonly [from: number, to: number];
  /** Default: all columns. */
  readonly columns?: readonly [from: number, to: number];
}

function shapeOf({ constant, rows, columns }: Block): { from: number; count: number; left: number; width: number } {
  const height = constant.shape[0] ?? 1;
  const all = height === 0 ? 0 : constant.data.length / height;
  const [from, to] = rows ?? [0, height];
  const [left, right] = columns ?? [0, all];
  return { from, count: to - from, left, width: right - left };
}

function pick<T extends Float32Array | Int8Array | Int16Array>(
  block: Block,
  data: ArrayLike<number>,
  into: T,
  at: number,
) {
  const { from, count, left, width } = shapeOf(block);
  const all = block.constant.data.length / (block.constant.shape[0] ?? 1);
  for (let r = 0; r < count; r++) {
    for (let c = 0; c < width; c++) into[at + r * width + c] = data[(from + r) * all + left + c]!;
  }
}

/** Whether a constant's codes can stay: 8 bits, scales per tensor or per row. */
function isCoded({ type, quantization }: Constant): boolean {
  return (
    (type === 'INT8' || type === 'UINT8') &&
    quantization !== undefined &&
    (quantization.scales.length === 1 || quantization.axis === 0)
  );
}

/**
 * Blocks stacked along the rows as one weight: the file's very codes where all are 8-bit (their scales by block or by
 * row), float16 where all are, else float32. `vector` makes it one-dimensional.
 * @throws MODEL_VALUE
 */
export function stack(blocks: readonly Block[], name: string, vector = false): Weight {
  const shapes = blocks.map(shapeOf);
  const rows = shapes.reduce((sum, { count }) => sum + count, 0);
  const { width } = shapes[0]!;
  if (shapes.some((shape) => shape.width !== width || shape.count < 1) || width < 1) {
    fail('MODEL_SHAPE', 'the matrices of the gates differ in shape', {
      place: name,
      found: blocks.map(({ constant }) => `[${constant.shape}]`).join(', '),
    });
  }
  const shape = vector ? [rows * width] : [rows, width];
  if (!vector && blocks.every(({ constant }) => isCoded(constant))) {
    return { shape, encoding: affine(blocks, rows, width, name), input: { kind: 'f32' } };
  }
  const values = new Float32Array(rows * width);
  let at = 0;
  blocks.forEach((block, i) => {
    pick(block, realsOf(block.constant), values, at);
    at += shapes[i]!.count * width;
  });
  const odd = values.findIndex((value) => !Number.isFinite(value));
  if (odd >= 0) {
    fail('MODEL_VALUE', 'a weight is not finite', { place: `${name}[${odd}]`, found: String(values[odd]) });
  }
  const type = blocks.every(({ constant }) => constant.type === 'FLOAT16') ? 'f16' : 'f32';
  return { shape, encoding: { kind: 'dense', type, values }, input: { kind: 'f32' } };
}

function affine(blocks: readonly Block[], rows: number, width: number, name: string): AffineEncoding {
  const shapes = blocks.map(shapeOf);
  const perRow = blocks.some(({ constant }) => constant.quantization!.scales.length > 1);
  const even = shapes.every(({ count }) => count === shapes[0]!.count);
  const single = blocks.every(({ constant }) => constant === blocks[0]!.constant);
  const rowsPerGroup = perRow || !(even || single) ? 1 : single ? rows : shapes[0]!.count;
  const groups = Math.ceil(rows / rowsPerGroup);
  const scales = new Float32Array(groups);
  const offsets = new Float32Array(groups);
  const codes = new Int8Array(rows * width);
  let row = 0;
  blocks.forEach((block, i) => {
    const { constant } = block;
    const { count, from } = shapes[i]!;
    const shift = constant.type === 'UINT8' ? 128 : 0;
    const data = shift === 0 ? constant.data : Int8Array.from(constant.data, (code) => code - shift);
    pick(block, data, codes, row * width);
    const { scales: given, zeros } = constant.quantization!;
    for (let r = 0; r < count; r++) {
      const group = Math.floor((row + r) / rowsPerGroup);
      const k = given.length === 1 ? 0 : from + r;
      scales[group] = given[k]!;
      offsets[group] = -(zeros[k]! - shift) * given[k]!;
    }
    row += count;
  });
  if (!scales.every((scale) => Number.isFinite(Math.fround(scale * 128))) || !offsets.every(Number.isFinite)) {
    fail('MODEL_VALUE', 'a scale makes weights infinite', { place: name });
  }
  const encoding: AffineEncoding = { kind: 'affine', bits: 8, codes, scaleType: 'f32', rowsPerGroup, scales };
  return offsets.some((offset) => offset !== 0) ? { ...encoding, offsets } : encoding;
}

/** Elements of the blocks together, for budgets. */
export function sizeOfBlocks(blocks: readonly Block[]): number {
  return blocks.reduce((sum, { constant }) => sum + sizeOf(constant.shape), 0);
}
