import { fail, showValue } from '../errors/index.ts';
import { sizeOf } from '../tensor/index.ts';
import { affine } from './affine.ts';
import { dense } from './dense.ts';
import { levels } from './levels.ts';
import { type ArraySource, type Descriptor, type StoredArray, wholeNumber } from './storage.ts';
import type { Encoding, SimpleEncoding, Weight } from './types.ts';

export { blockGrid, checkSparsity, keptWeights } from './sparsity.ts';
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
  store(encoding: E, shape: readonly number[]): StoredArray[];
  restore(descriptor: Descriptor, shape: readonly number[], source: ArraySource): E;
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

/** Bits per weight, averaged over the rows where parts differ. */
export function bitsPerWeight({ encoding, shape }: Pick<Weight, 'encoding' | 'shape'>): number {
  let sum = 0;
  for (const part of partsOf(encoding, shape[0]!)) sum += part.rows * kindOf(part.encoding).bits(part.encoding);
  return sum / shape[0]!;
}

/** The arrays a file holds for the encoding. */
export function store({ encoding, shape }: Pick<Weight, 'encoding' | 'shape'>): StoredArray[] {
  if (encoding.kind !== 'concat') return kindOf(encoding).store(encoding, shape);
  return partsOf(encoding, shape[0]!).flatMap((part, i) =>
    kindOf(part.encoding)
      .store(part.encoding, [part.rows, ...shape.slice(1)])
      .map((array) => ({ ...array, suffix: `.${i}${array.suffix}` })),
  );
}

/** Bytes the encoding takes on disk. */
export function storedBytes(weight: Pick<Weight, 'encoding' | 'shape'>): number {
  return store(weight).reduce((sum, array) => sum + array.bytes.length, 0);
}

/** What a file says about the encoding beside its arrays. */
export function describe(encoding: Encoding): Descriptor {
  if (encoding.kind !== 'concat') return kindOf(encoding).describe(encoding);
  return {
    kind: 'concat',
    parts: encoding.parts.map(({ rows, encoding: part }) => ({ rows, ...kindOf(part).describe(part) })),
  };
}

/** The inverse of {@link describe} and {@link store}. Every field is checked before it is used. */
export function restore(descriptor: Descriptor, shape: readonly number[], source: ArraySource): Encoding {
  if (descriptor.kind !== 'concat') return restoreSimple(descriptor, shape, source);
  const { place } = source;
  if (!Array.isArray(descriptor.parts)) fail('FILE_CORRUPT', 'a concat encoding without parts', { place });
  let left = shape[0]!;
  const parts = descriptor.parts.map((part: Descriptor | null, i) => {
    if (typeof part !== 'object' || part === null) fail('FILE_CORRUPT', 'a part is malformed', { place });
    const rows = wholeNumber(part, 'rows', 1, left, place);
    left -= rows;
    const own: ArraySource = {
      place: `${place}.${i}`,
      take: (suffix, type, count) => source.take(`.${i}${suffix}`, type, count),
    };
    return { rows, encoding: restoreSimple(part, [rows, ...shape.slice(1)], own) };
  });
  if (left !== 0) fail('FILE_CORRUPT', 'the parts of a concat encoding do not cover its rows', { place });
  return { kind: 'concat', parts };
}

function restoreSimple(descriptor: Descriptor, shape: readonly number[], source: ArraySource): SimpleEncoding {
  const kind = descriptor.kind;
  if (typeof kind !== 'string' || !Object.hasOwn(kinds, kind)) {
    fail('FILE_CORRUPT', 'unknown encoding', {
      place: source.place,
      expected: Object.keys(kinds).join(' | '),
      found: showValue(kind),
    });
  }
  return kinds[kind as SimpleEncoding['kind']].restore(descriptor, shape, source);
}

/** A plain float32 weight. */
export function denseWeight(shape: readonly number[], values: Float32Array): Weight {
  return { shape, encoding: { kind: 'dense', type: 'f32', values }, input: { kind: 'f32' } };
}
