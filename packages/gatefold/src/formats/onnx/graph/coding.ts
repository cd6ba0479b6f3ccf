import { decode, type OperandCoding, type Weight } from '@gatefold/runtime';
import type { Picked } from './indices.ts';
import type { Coding } from './tensor.ts';

/** How the elements of a tensor that an op picks are coded. */
export function pickCoding(coding: Coding | undefined, { indices }: Picked): Coding | undefined {
  if (coding === undefined || coding === 'half') return coding;
  const take = (from: Float32Array) => Float32Array.from(indices, (i) => from[i]!);
  return {
    codes: take(coding.codes),
    scales: take(coding.scales),
    ...(coding.offsets ? { offsets: take(coding.offsets) } : {}),
    ...(coding.integer ? { integer: true } : {}),
  };
}

/** The coding of tensors joined to one; undefined where they differ in kind. `join` puts their arrays together. */
export function joinCodings(
  codings: readonly (Coding | undefined)[],
  join: (arrays: readonly Float32Array[]) => Float32Array,
): Coding | undefined {
  if (codings.every((coding) => coding === 'half')) return 'half';
  const parts = codings.filter((coding) => coding !== undefined && coding !== 'half');
  if (parts.length !== codings.length || parts.some(({ offsets }) => !offsets !== !parts[0]!.offsets)) return undefined;
  return {
    codes: join(parts.map(({ codes }) => codes)),
    scales: join(parts.map(({ scales }) => scales)),
    ...(parts[0]!.offsets ? { offsets: join(parts.map(({ offsets }) => offsets!)) } : {}),
    ...(parts.every(({ integer }) => integer) ? { integer: true } : {}),
  };
}

/** One number for each row, where the elements of every row agree. */
function byRow(values: Float32Array, rows: number): Float32Array | undefined {
  const columns = values.length / rows;
  const out = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    out[row] = values[row * columns]!;
    for (let k = 1; k < columns; k++) if (values[row * columns + k] !== out[row]) return undefined;
  }
  return out;
}

function bitsFor(codes: Float32Array): number | undefined {
  const low = codes.reduce((a, b) => Math.min(a, b), 0);
  const high = codes.reduce((a, b) => Math.max(a, b), 0);
  return [4, 8, 16].find((bits) => low >= -(2 ** (bits - 1)) && high < 2 ** (bits - 1));
}

/**
 * The weight as the file codes it, so that it stays as small: `arrange` puts elements in the weight's order. Undefined where
 * the rows do not share their scales, or would not mean exactly `values`.
 */
export function codedWeight(
  coding: Coding,
  shape: readonly number[],
  values: Float32Array,
  arrange: (elements: Float32Array) => Float32Array,
): Weight | undefined {
  const rows = shape[0]!;
  let weight: Weight | undefined;
  if (coding === 'half') {
    weight = { shape, input: { kind: 'f32' }, encoding: { kind: 'dense', type: 'f16', values } };
  } else {
    const codes = arrange(coding.codes);
    const bits = bitsFor(codes);
    const scales = byRow(arrange(coding.scales), rows);
    const offsets = coding.offsets && byRow(arrange(coding.offsets), rows);
    if (bits === undefined || !scales || (coding.offsets && !offsets)) return undefined;
    const input: OperandCoding =
      coding.integer && bits <= 8 ? { kind: 'u7', zero: 64, scale: 'dynamic' } : { kind: 'f32' };
    const whole = bits <= 8 ? Int8Array.from(codes) : Int16Array.from(codes);
    const encoding = { kind: 'affine', bits, codes: whole, scaleType: 'f32', rowsPerGroup: 1, scales } as const;
    weight = { shape, input, encoding: offsets ? { ...encoding, offsets } : encoding };
  }
  return decode(weight).every((value, i) => value === values[i]) ? weight : undefined;
}
