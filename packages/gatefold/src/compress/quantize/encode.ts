import {
  decode,
  type Encoding,
  keptWeights,
  partsOf,
  roundTo,
  type SimpleEncoding,
  type Weight,
} from '@gatefold/runtime';
import type { Moments } from '../moments.ts';
import { compensate } from './compensate.ts';
import { type Matrix, rowsPerGroup } from './groups.ts';
import { encodeLevels } from './levels.ts';
import { encodeLinear } from './linear.ts';
import { isLevelScheme, type Settled } from './options.ts';

/** Smallest normal float16: scales below it would lose precision. */
const smallestHalf = 2 ** -14;

/**
 * Encodes a weight gate by gate (one entry: the whole weight). Neighbouring gates with the same settings are encoded
 * together; gates without settings keep what they have.
 */
export function encodeGates(before: Weight, gates: readonly (Settled | undefined)[], moments?: Moments): Encoding {
  const values = decode(before);
  const rows = before.shape[0]!;
  const columns = values.length / rows;
  const rowsPerGate = rows / gates.length;
  const own = partsOf(before.encoding, rows);
  const removed = keptWeights(before);
  const parts: { rows: number; encoding: SimpleEncoding }[] = [];
  for (let from = 0; from < gates.length; ) {
    let to = from + 1;
    while (to < gates.length && gates[to] === gates[from]) to++;
    const span = { from: from * rowsPerGate, rows: (to - from) * rowsPerGate };
    const taken = values.slice(span.from * columns, (span.from + span.rows) * columns);
    const options = gates[from];
    const kept = own.find((part) => part.from === span.from && part.rows === span.rows)?.encoding;
    const stays = removed?.subarray(span.from * columns, (span.from + span.rows) * columns);
    const matrix = { values: taken, rows: span.rows, columns, rowsPerGate, needsZero: stays !== undefined };
    const made = options && encodeMatrix(matrix, options);
    const encoding = made
      ? moments && compensates(options!)
        ? compensate(made, taken, columns, moments, stays)
        : made
      : (kept ?? { kind: 'dense', type: 'f32', values: taken });
    parts.push({ rows: span.rows, encoding });
    from = to;
  }
  return parts.length === 1 ? parts[0]!.encoding : { kind: 'concat', parts };
}

/** Whether codes may be chosen with regard to each other. */
export function compensates({ compensation, rounding, scheme, bits }: Settled): boolean {
  if (compensation === 'none' || rounding === 'floor' || scheme === 'f16') return false;
  return compensation === 'obs' || bits < 8;
}

/** Encodes a matrix as the settled options say. */
function encodeMatrix(matrix: Matrix, options: Settled): SimpleEncoding {
  if (options.scheme === 'f16') return { kind: 'dense', type: 'f16', values: roundTo('f16', matrix.values.slice()) };
  if (options.scales) return encodeWith(matrix, options, options.scales);
  const precise = encodeWith(matrix, options, 'f32');
  const shrinkable = precise.kind !== 'dense' && precise.scales.every(isNormalHalf);
  return shrinkable ? encodeWith(matrix, options, 'f16') : precise;
}

function isNormalHalf(scale: number): boolean {
  const magnitude = Math.abs(scale);
  return scale === 0 || (magnitude >= smallestHalf && magnitude < 65504);
}

function encodeWith(matrix: Matrix, options: Settled, scaleType: 'f32' | 'f16'): SimpleEncoding {
  const { scheme, bits, rounding, symmetric, clip, granularity } = options;
  const perGroup = rowsPerGroup(matrix, granularity);
  if (!isLevelScheme(scheme)) {
    return encodeLinear(matrix, { bits, rounding, symmetric, clip, scaleType, rowsPerGroup: perGroup });
  }
  return encodeLevels(matrix, {
    scheme,
    bits,
    rounding,
    scaleType,
    rowsPerGroup: perGroup,
  });
}
