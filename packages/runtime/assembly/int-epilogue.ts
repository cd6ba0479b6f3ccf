import { splat } from './activations';

// What follows the integer sums of linearI8 and linearI4. Addresses are the running strip's, 0 where absent.

export let scales: usize = 0;
export let offsets: usize = 0;
export let bias: usize = 0;
export let start: usize = 0;

export function beginStrips(scaleAddress: usize, offsetAddress: usize, biasAddress: usize, startAddress: usize): void {
  scales = scaleAddress;
  offsets = offsetAddress;
  bias = biasAddress;
  start = startAddress;
}

@inline
export function nextStrip(): void {
  scales += 64;
  if (offsets) offsets += 64;
  if (bias) bias += 64;
  if (start) start += 64;
}

/** float(Σ q·code + start) for four rows of W. */
@inline
export function oneDigit(sum: v128, at: usize): v128 {
  return f32x4.convert_i32x4_s(start ? i32x4.add(sum, v128.load(start + at)) : sum);
}

/** float(high)·128 + float(low); start belongs to the high digit. */
@inline
export function twoDigits(high: v128, low: v128, at: usize): v128 {
  return f32x4.add(f32x4.mul(oneDigit(high, at), splat(128)), f32x4.convert_i32x4_s(low));
}

/** f·(scale·sx) [+ Σ(code − zero)·(offset·sx)], then + bias, or add + . `meta` holds sx and Σ(code − zero). */
@inline
export function finish(f: v128, at: usize, meta: usize, dst: usize, add: usize): void {
  const sx = v128.load_splat<f32>(meta);
  let y = f32x4.mul(f, f32x4.mul(v128.load(scales + at), sx));
  if (offsets) {
    y = f32x4.add(y, f32x4.mul(v128.load_splat<f32>(meta, 4), f32x4.mul(v128.load(offsets + at), sx)));
  }
  if (bias) y = f32x4.add(y, v128.load(bias + at));
  else if (add) y = f32x4.add(v128.load(add + at), y);
  v128.store(dst + at, y);
}
