import type { Interval } from '../../../../compress/index.ts';

/** How real numbers stand as integers: real = scale·(code − zero). */
export interface Coding {
  readonly type: 'INT8' | 'INT16';
  readonly scale: number;
  readonly zero: number;
  /** The numbers that are to be told apart. */
  readonly range: Interval;
}

/** The largest code of either type. */
const topCode = { INT8: 127, INT16: 32767 } as const;

/**
 * The finest coding of a range: 8 bits with the zero anywhere, 16 bits around zero, as TensorFlow Lite's kernels want them. Zero
 * has a code of its own, always.
 */
export function codingOf(type: Coding['type'], range: Interval): Coding {
  const low = Math.min(0, range.low);
  const high = Math.max(0, range.high);
  if (type === 'INT16') {
    return { type, scale: Math.fround(Math.max(-low, high) / topCode.INT16 || 1), zero: 0, range };
  }
  const scale = Math.fround((high - low) / 255 || 1);
  const zero = Math.min(127, Math.max(-128, Math.round(-128 - low / scale)));
  return { type, scale, zero, range };
}

/** What the kernels of functions with a known range write, whatever their input. */
export const fixedCodings: Readonly<Record<string, Readonly<Record<Coding['type'], Coding>>>> = {
  LOGISTIC: positive(),
  SOFTMAX: positive(),
  TANH: {
    INT8: { type: 'INT8', scale: 1 / 128, zero: 0, range: { low: -1, high: 1 } },
    INT16: { type: 'INT16', scale: 1 / 32768, zero: 0, range: { low: -1, high: 1 } },
  },
};

function positive(): Readonly<Record<Coding['type'], Coding>> {
  const range = { low: 0, high: 1 };
  return {
    INT8: { type: 'INT8', scale: 1 / 256, zero: -128, range },
    INT16: { type: 'INT16', scale: 1 / 32768, zero: 0, range },
  };
}

/** The 16-bit coding of an LSTM's c: its scale is a power of two, as its kernel shifts. */
export function cellCoding(range: Interval): Coding {
  const bits = Math.max(0, Math.ceil(Math.log2(Math.max(-range.low, range.high, 2 ** -15))));
  return { type: 'INT16', scale: 2 ** (bits - 15), zero: 0, range };
}

export function sameCoding(a: Coding, b: Coding): boolean {
  return a.type === b.type && a.scale === b.scale && a.zero === b.zero;
}

/** Real numbers as codes, saturated. */
export function codesOf(values: Float32Array, { type, scale, zero }: Coding): Int8Array | Int16Array {
  const top = topCode[type];
  const code = (x: number) => Math.min(top, Math.max(-top - 1, Math.round(x / scale) + zero));
  return type === 'INT8' ? Int8Array.from(values, code) : Int16Array.from(values, code);
}
