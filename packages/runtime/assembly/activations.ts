import {
  erfHigh,
  erfLow,
  erfP,
  erfQ,
  expHigh,
  expLow,
  expP,
  ln2High,
  ln2Low,
  log1pP,
  log2e,
  logP,
  smallestNormal,
  sqrtHalfBits,
  tanhHigh,
  tanhLow,
  tanhP,
  tanhQ,
} from './generated/coefficients';
import { half, magic, minusOne, one } from './lanes';

// Four lanes of the functions in src/numerics/scalar.ts, operation for operation.

@inline
export function splat(x: f32): v128 {
  return f32x4.splat(x);
}

/** x < low ? low : x, then high < y ? high : y. */
@inline
export function clamp(x: v128, low: v128, high: v128): v128 {
  return f32x4.pmin(f32x4.pmax(x, low), high);
}

@inline
export function tanh4(x: v128): v128 {
  const a = clamp(x, tanhLow, tanhHigh);
  const t = f32x4.mul(a, a);
  return clamp(f32x4.div(f32x4.mul(a, tanhP(t)), tanhQ(t)), minusOne, one);
}

/**
 * ½ + ½·tanh(x/2). The scalar function has its own table, which is tanh's with powers of two multiplied in: the bits
 * are the same, and here both functions share their constants.
 */
@inline
export function sigmoid4(x: v128): v128 {
  return f32x4.add(half, f32x4.mul(half, tanh4(f32x4.mul(half, x))));
}

@inline
export function erf4(x: v128): v128 {
  const a = clamp(x, erfLow, erfHigh);
  const t = f32x4.mul(a, a);
  return clamp(f32x4.div(f32x4.mul(a, erfP(t)), erfQ(t)), minusOne, one);
}

@inline
export function exp4(x: v128): v128 {
  const a = clamp(x, expLow, expHigh);
  // After this addition the low bits hold the rounded number, and shifted they are the exponent to add.
  const rounded = f32x4.add(f32x4.mul(a, log2e), magic);
  const n = f32x4.sub(rounded, magic);
  const r = f32x4.sub(f32x4.sub(a, f32x4.mul(n, ln2High)), f32x4.mul(n, ln2Low));
  // A NaN's payload is no exponent.
  const exponent = v128.and(i32x4.shl(rounded, 23), f32x4.eq(a, a));
  return i32x4.add(expP(r), exponent);
}

@inline
export function log4(x: v128): v128 {
  const n = i32x4.shr_s(i32x4.sub(x, i32x4.splat(sqrtHalfBits)), 23);
  const f = f32x4.sub(i32x4.sub(x, i32x4.shl(n, 23)), one);
  const m = f32x4.mul(f, logP(f));
  const e = f32x4.convert_i32x4_s(n);
  let y = f32x4.add(f32x4.add(m, f32x4.mul(e, ln2Low)), f32x4.mul(e, ln2High));
  y = v128.bitselect(y, x, f32x4.lt(x, splat(f32.POSITIVE_INFINITY)));
  y = v128.bitselect(splat(f32.NEGATIVE_INFINITY), y, f32x4.lt(x, smallestNormal));
  return v128.bitselect(splat(f32.NaN), y, f32x4.lt(x, splat(0)));
}

@inline
export function log1p4(u: v128): v128 {
  return f32x4.mul(u, log1pP(u));
}
