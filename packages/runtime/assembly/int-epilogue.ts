import { splat } from './activations';

// What follows the integer sums of the products of codes. `at` are bytes into the outputs; addresses are 0 where absent.

/** float(Σ q·code + start) for four rows of W. */
@inline
export function oneDigit(start: usize, sum: v128, at: usize): v128 {
  return f32x4.convert_i32x4_s(start ? i32x4.add(sum, v128.load(start + at)) : sum);
}

/** float(high)·128 + float(low); start belongs to the high digit. */
@inline
export function twoDigits(start: usize, high: v128, low: v128, at: usize): v128 {
  return f32x4.add(f32x4.mul(oneDigit(start, high, at), splat(128)), f32x4.convert_i32x4_s(low));
}

/**
 * f·(scale·sx) [+ Σ(code − zero)·(offset·sx)], then what is to be added: the bias or other outputs (a sum has the same bits in either
 * order). `meta` holds sx and Σ(code − zero).
 */
@inline
export function finish(scales: usize, offsets: usize, f: v128, at: usize, meta: usize, dst: usize, plus: usize): void {
  const sx = v128.load_splat<f32>(meta);
  let y = f32x4.mul(f, f32x4.mul(v128.load(scales + at), sx));
  if (offsets) {
    y = f32x4.add(y, f32x4.mul(v128.load_splat<f32>(meta, 4), f32x4.mul(v128.load(offsets + at), sx)));
  }
  if (plus) y = f32x4.add(y, v128.load(plus + at));
  v128.store(dst + at, y);
}

/** {@link finish} of eight rows of W: what four and four have in common is done once. */
@inline
export function finishStrip(
  scales: usize,
  offsets: usize,
  f: v128,
  g: v128,
  at: usize,
  meta: usize,
  dst: usize,
  plus: usize,
): void {
  const sx = v128.load_splat<f32>(meta);
  const s = scales + at;
  let y = f32x4.mul(f, f32x4.mul(v128.load(s), sx));
  let z = f32x4.mul(g, f32x4.mul(v128.load(s, 16), sx));
  if (offsets) {
    const o = offsets + at;
    const sum = v128.load_splat<f32>(meta, 4);
    y = f32x4.add(y, f32x4.mul(sum, f32x4.mul(v128.load(o), sx)));
    z = f32x4.add(z, f32x4.mul(sum, f32x4.mul(v128.load(o, 16), sx)));
  }
  if (plus) {
    const p = plus + at;
    y = f32x4.add(y, v128.load(p));
    z = f32x4.add(z, v128.load(p, 16));
  }
  const d = dst + at;
  v128.store(d, y);
  v128.store(d, z, 16);
}
