import { fail, showValue } from '../errors/index.ts';
import { sizeOf } from '../tensor/index.ts';
import { affine } from './affine.ts';
import { restoreBlocks, storeBlocks } from './block-index.ts';
import { dense } from './dense.ts';
import { levels } from './levels.ts';
import { blockGrid, checkBlocks, checkSparsity, keptWeights } from './sparsity.ts';
import { type ArraySource, type Descriptor, keptCount, type StoredArray, wholeNumber } from './storage.ts';
import type { Encoding, SimpleEncoding, Sparsity, Weight } from './types.ts';

export { blockGrid, blockIndex, checkSparsity, keptWeights } from './sparsity.ts';
export { type ArraySource, type Descriptor, roundTo, type StoredArray } from './storage.ts';
export type {
  AffineEncoding,
  ConcatEncoding,
  DenseEncoding,
  Encoding,
  Granularity,
  LevelsEncoding,
  OperandCoding,
  SimpleEncoding,
  Sparsity,
  Weight,
} from './types.ts';

/** What every simple encoding can do; a new one is one file and one line here. */
interface EncodingKind<E> {
  /** Bits per weight, scales aside. */
  bits(encoding: E): number;
  decode(encoding: E, shape: readonly number[]): Float32Array;
  describe(encoding: E): Descriptor;
  /** Only the weights marked in `kept` stand in a file, where it is given; the others come back as 0. */
  store(encoding: E, shape: readonly number[], kept?: Uint8Array): StoredArray[];
  restore(descriptor: Descriptor, shape: readonly number[], source: ArraySource, kept?: Uint8Array): E;
}

const kinds = { dense, affine, levels } as const;

function kindOf<E extends SimpleEncoding>(encoding: E): EncodingKind<E> {
  return kinds[encoding.kind] as unknown as EncodingKind<E>;
}

/** The parts of an encoding with the row each starts at; a simple encoding is its own only part. */
export function partsOf(encoding: Encoding, rows: number): { from: number; rows: number; encoding: SimpleEncoding }[] {
  if (encoding.kind !== 'concat') return [{ from: 0, rows, encoding }];
  let from = 0;
  return encoding.parts.map((part) => {
    from += part.rows;
    return { from: from - part.rows, rows: part.rows, encoding: part.encoding };
  });
}

/** The values the encoding means, row-major. The result may be shared: do not write to it. */
export function decode({ encoding, shape }: Pick<Weight, 'encoding' | 'shape'>): Float32Array {
  if (encoding.kind !== 'concat') return kindOf(encoding).decode(encoding, shape);
  const out = new Float32Array(sizeOf(shape));
  const columns = out.length / shape[0]!;
  for (const part of partsOf(encoding, shape[0]!)) {
    const values = kindOf(part.encoding).decode(part.encoding, [part.rows, ...shape.slice(1)]);
    out.set(values, part.from * columns);
  }
  return out;
}

/**
 * Bits that the codes of a weight take, averaged over the weights; with `sparsity` over all weights, also those removed, and with the
 * list of blocks.
 */
export function bitsPerWeight(weight: Pick<Weight, 'encoding' | 'shape' | 'sparsity'>): number {
  const { encoding, shape, sparsity } = weight;
  const count = sizeOf(shape);
  const kept = keptWeights(weight);
  let sum = sparsity ? storeBlocks(sparsity.kept).bytes.length * 8 : 0;
  for (const part of partsOf(encoding, shape[0]!)) {
    const own = partOf(kept, part, count / shape[0]!);
    sum += keptCount([part.rows, count / shape[0]!], own) * kindOf(part.encoding).bits(part.encoding);
  }
  return sum / count;
}

/** The rows of a part. */
function partOf<T extends Uint8Array | undefined>(
  kept: T,
  { from, rows }: { from: number; rows: number },
  columns: number,
): T {
  return kept?.subarray(from * columns, (from + rows) * columns) as T;
}

/** The arrays a file holds for the weight. */
export function store(weight: Pick<Weight, 'encoding' | 'shape' | 'sparsity'>): StoredArray[] {
  const { encoding, shape, sparsity } = weight;
  const kept = keptWeights(weight);
  const blocks: StoredArray[] = [];
  if (sparsity) {
    const { bytes } = storeBlocks(sparsity.kept);
    blocks.push({ suffix: '.kept', type: 'U8', shape: [bytes.length], bytes });
  }
  if (encoding.kind !== 'concat') return [...kindOf(encoding).store(encoding, shape, kept), ...blocks];
  const columns = sizeOf(shape.slice(1));
  const parts = partsOf(encoding, shape[0]!).flatMap((part, i) =>
    kindOf(part.encoding)
      .store(part.encoding, [part.rows, ...shape.slice(1)], partOf(kept, part, columns))
      .map((array) => ({ ...array, suffix: `.${i}${array.suffix}` })),
  );
  return [...parts, ...blocks];
}

/** Bytes the weight takes on disk. */
export function storedBytes(weight: Pick<Weight, 'encoding' | 'shape' | 'sparsity'>): number {
  return store(weight).reduce((sum, array) => sum + array.bytes.length, 0);
}

/**
 * Checks what a sparse weight claims; any other passes.
 * @throws MODEL_INVALID
 */
export function checkSparse(weight: Weight, place: string): void {
  const { encoding, shape, sparsity } = weight;
  if (!sparsity) return;
  for (const part of partsOf(encoding, shape[0]!)) {
    if (part.encoding.kind === 'affine' && part.encoding.offsets) {
      fail('MODEL_INVALID', 'codes with an offset cannot stand for removed weights', {
        place,
        expected: 'symmetric codes',
      });
    }
  }
  checkSparsity(shape, sparsity, decode(weight), place);
}

/** What a file says about the sparsity beside the list of blocks. */
export function describeSparsity({ block, gateRows, kept, diagonal }: Sparsity): Descriptor {
  return { block, gateRows, ...storeBlocks(kept).descriptor, ...(diagonal ? { diagonal } : {}) };
}

/** The inverse of {@link describeSparsity} and {@link store}. Every field is checked before it is used. */
export function restoreSparsity(descriptor: Descriptor, shape: readonly number[], source: ArraySource): Sparsity {
  const { place } = source;
  const { block, diagonal } = descriptor;
  if (!Array.isArray(block) || block.length !== 2 || (diagonal !== undefined && diagonal !== true)) {
    fail('FILE_CORRUPT', 'malformed sparsity', { place });
  }
  const frame = {
    block: [
      wholeNumber({ rows: block[0] }, 'rows', 1, 2 ** 31, place),
      wholeNumber({ columns: block[1] }, 'columns', 1, 2 ** 31, place),
    ] as const,
    gateRows: wholeNumber(descriptor, 'gateRows', 1, shape[0]!, place),
  };
  checkBlocks(shape, frame, place);
  const [rows, columns] = blockGrid(shape, frame);
  return { ...frame, kept: restoreBlocks(descriptor, rows * columns, source), ...(diagonal ? { diagonal } : {}) };
}

/** What a file says about the encoding beside its arrays. */
export function describe(encoding: Encoding): Descriptor {
  if (encoding.kind !== 'concat') return kindOf(encoding).describe(encoding);
  return {
    kind: 'concat',
    parts: encoding.parts.map(({ rows, encoding: part }) => ({ rows, ...kindOf(part).describe(part) })),
  };
}

/**
 * The inverse of {@link describe} and {@link store}: `kept` are the weights that stand in the file. Every field is checked before it is
 * used.
 */
export function restore(
  descriptor: Descriptor,
  shape: readonly number[],
  source: ArraySource,
  kept?: Uint8Array,
): Encoding {
  if (descriptor.kind !== 'concat') return restoreSimple(descriptor, shape, source, kept);
  const { place } = source;
  if (!Array.isArray(descriptor.parts)) fail('FILE_CORRUPT', 'a concat encoding without parts', { place });
  const columns = sizeOf(shape.slice(1));
  let left = shape[0]!;
  const parts = descriptor.parts.map((part: Descriptor | null, i) => {
    if (typeof part !== 'object' || part === null) fail('FILE_CORRUPT', 'a part is malformed', { place });
    const rows = wholeNumber(part, 'rows', 1, left, place);
    left -= rows;
    const own: ArraySource = {
      place: `${place}.${i}`,
      take: (suffix, type, count) => source.take(`.${i}${suffix}`, type, count),
    };
    const ownKept = partOf(kept, { from: shape[0]! - left - rows, rows }, columns);
    return { rows, encoding: restoreSimple(part, [rows, ...shape.slice(1)], own, ownKept) };
  });
  if (left !== 0) fail('FILE_CORRUPT', 'the parts of a concat encoding do not cover its rows', { place });
  return { kind: 'concat', parts };
}

function restoreSimple(
  descriptor: Descriptor,
  shape: readonly number[],
  source: ArraySource,
  kept: Uint8Array | undefined,
): SimpleEncoding {
  const kind = descriptor.kind;
  if (typeof kind !== 'string' || !Object.hasOwn(kinds, kind)) {
    fail('FILE_CORRUPT', 'unknown encoding', {
      place: source.place,
      expected: Object.keys(kinds).join(' | '),
      found: showValue(kind),
    });
  }
  return kinds[kind as SimpleEncoding['kind']].restore(descriptor, shape, source, kept);
}

/** A plain float32 weight. */
export function denseWeight(shape: readonly number[], values: Float32Array): Weight {
  return { shape, encoding: { kind: 'dense', type: 'f32', values }, input: { kind: 'f32' } };
}
