import { decode, fail, float16From, partsOf, sizeOf, type Weight } from '@gatefold/runtime';
import type { TfliteBuilder } from './file.ts';

/** Rows of a weight as TensorFlow Lite can hold them. */
export type Rows =
  | { readonly kind: 'FLOAT32' | 'FLOAT16'; readonly values: Float32Array }
  | { readonly kind: 'INT8'; readonly codes: Int8Array /** One per row. */; readonly scales: Float32Array };

/** How codes must be made for files of this format. */
export const quantizeHint = 'quantize with --bits 8 --granularity gate';

/**
 * Rows `from` … `to` − 1 of a weight: floats, or the very codes of a symmetric encoding of at most 8 bits.
 * @throws MODEL_UNSUPPORTED for encodings that TensorFlow Lite has no form for
 */
export function rowsOf(weight: Weight, name: string, from = 0, to = weight.shape[0]!): Rows {
  const columns = sizeOf(weight.shape) / weight.shape[0]!;
  const parts = partsOf(weight.encoding, weight.shape[0]!).filter(
    (part) => part.from < to && part.from + part.rows > from,
  );
  const coded = parts.every(({ encoding }) => encoding.kind === 'affine');
  if (!coded) {
    if (parts.some(({ encoding }) => encoding.kind !== 'dense')) {
      fail('MODEL_UNSUPPORTED', `weight "${name}" has an encoding that TensorFlow Lite does not know`, {
        place: name,
        expected: 'float32, float16, or at most 8 bits, linear and symmetric',
        found: parts.map(({ encoding }) => encoding.kind).join(', '),
        hint: quantizeHint,
      });
    }
    const half = parts.every(({ encoding }) => encoding.kind === 'dense' && encoding.type === 'f16');
    return { kind: half ? 'FLOAT16' : 'FLOAT32', values: decode(weight).slice(from * columns, to * columns) };
  }
  const codes = new Int8Array((to - from) * columns);
  const scales = new Float32Array(to - from);
  for (const { from: start, encoding } of parts) {
    if (encoding.kind !== 'affine') continue;
    const { bits, offsets, rowsPerGroup } = encoding;
    if (bits > 8 || offsets?.some((offset) => offset !== 0)) {
      fail('MODEL_UNSUPPORTED', `weight "${name}" has codes that TensorFlow Lite cannot hold`, {
        place: name,
        expected: 'at most 8 bits, around zero',
        found: `${bits} bits${offsets ? ' with an offset' : ''}`,
        hint: `${quantizeHint}, without --asymmetric`,
      });
    }
    const last = Math.min(to, start + encoding.codes.length / columns);
    for (let row = Math.max(from, start); row < last; row++) {
      scales[row - from] = encoding.scales[Math.floor((row - start) / rowsPerGroup)]!;
      codes.set(
        encoding.codes.subarray((row - start) * columns, (row - start + 1) * columns) as Int8Array,
        (row - from) * columns,
      );
    }
  }
  if (codes.includes(-128)) {
    fail('MODEL_UNSUPPORTED', `weight "${name}" uses the code −128, which TensorFlow Lite's symmetric form lacks`, {
      place: name,
      hint: `${quantizeHint} --clip max`,
    });
  }
  return { kind: 'INT8', codes, scales };
}

/** The one scale of all rows, where there is one; negative ones are turned with their codes. */
function singleScale(rows: Rows & { kind: 'INT8' }): number | undefined {
  const [scale = 0] = rows.scales;
  return rows.scales.every((other) => other === scale) ? scale : undefined;
}

/**
 * A constant tensor of rows; `perRow` says whether the operator takes a scale for each.
 * @throws MODEL_UNSUPPORTED where it needs one scale and there are several
 */
export function constantTensor(
  builder: TfliteBuilder,
  name: string,
  shape: readonly number[],
  rows: Rows,
  perRow: boolean,
): number {
  if (rows.kind === 'FLOAT32') return builder.floats(name, shape, rows.values);
  if (rows.kind !== 'INT8') {
    const bytes = new Uint8Array(Uint16Array.from(rows.values, float16From).buffer);
    const stored = builder.tensor({ name: `${name}/float16`, shape, type: 'FLOAT16', bytes });
    const widened = builder.tensor({ name, shape, type: 'FLOAT32' });
    builder.operator('DEQUANTIZE', [stored], [widened], {}, 3);
    return widened;
  }
  const scale = singleScale(rows);
  if (scale === undefined && !perRow) {
    fail('MODEL_UNSUPPORTED', `weight "${name}" has a scale per row, TensorFlow Lite holds one per gate matrix`, {
      place: name,
      expected: 'one scale',
      found: `${new Set(rows.scales).size} scales`,
      hint: quantizeHint,
    });
  }
  // Scales must be positive: a negative one goes into the codes.
  const { codes, scales: given } = rows;
  const columns = codes.length / given.length;
  const turned = Int8Array.from(codes, (code, i) => (given[Math.floor(i / columns)]! < 0 ? -code : code));
  // All codes of a row without values are zero; its scale must not be.
  const scales = Float32Array.from(scale === undefined ? given : [scale], (value) => Math.abs(value) || 1);
  return builder.tensor({ name, shape, type: 'INT8', bytes: new Uint8Array(turned.buffer), scales });
}
