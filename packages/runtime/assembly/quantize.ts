import { splat } from './activations';
import { Quantize } from './generated/opcodes';
import { magic as roundingLanes } from './lanes';
import { base, float, int, rowCount, stride } from './operands';
import { lanesBefore, maxLanes } from './rows';

const TWO_TO_MINUS_100: f32 = 7.888609052210118e-31;

/** max |x|, NaN not counted. */
export function largest(x: usize, n: i32): f32 {
  let m = splat(0);
  let i = 4;
  for (; i <= n; i += 4, x += 16) m = f32x4.pmax(m, f32x4.abs(v128.load(x)));
  if (i - n < 4) m = f32x4.pmax(m, v128.and(f32x4.abs(v128.load(x)), lanesBefore(n - i + 4)));
  return maxLanes(m);
}

/** Four codes less the zero point. lowest < v ? v : lowest sends NaN to the lowest code. */
@inline
function codes4(x: usize, audible: v128, inverse: v128, lowest: v128, highest: v128, magic: v128): v128 {
  const v = f32x4.mul(v128.and(v128.load(x), audible), inverse);
  return i32x4.sub(f32x4.add(f32x4.pmin(f32x4.pmax(lowest, v), highest), magic), magic);
}

/**
 * Codes a row and returns Σ(code − zero). With two digits the high one goes to `codes`, the low one to `low`. In
 * a silent row everything, even NaN, has the code of 0.
 */
function codeRow(
  x: usize,
  n: i32,
  inverse: f32,
  silent: bool,
  zero: i32,
  digits: i32,
  codes: usize,
  low: usize,
): i32 {
  const top: i32 = digits == 1 ? 127 : 16383;
  const magic = roundingLanes;
  const scale = splat(inverse);
  const lowest = splat(<f32>-zero);
  const highest = splat(<f32>(top - zero));
  const audible = i32x4.splat(silent ? 0 : -1);
  const shift = i32x4.splat(zero);
  let sum = i32x4.splat(0);
  let i = 0;
  if (digits == 1) {
    const bytes = i8x16.splat(<i8>zero);
    for (; i + 16 <= n; i += 16, x += 64) {
      const a = codes4(x, audible, scale, lowest, highest, magic);
      const b = codes4(x + 16, audible, scale, lowest, highest, magic);
      const c = codes4(x + 32, audible, scale, lowest, highest, magic);
      const d = codes4(x + 48, audible, scale, lowest, highest, magic);
      sum = i32x4.add(sum, i32x4.add(i32x4.add(a, b), i32x4.add(c, d)));
      // −127 … 127 fit a byte; the zero point is added there.
      const q = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
      v128.store(codes + i, i8x16.add(q, bytes));
    }
  }
  for (; i < n; i += 4, x += 16) {
    const inside = lanesBefore(n - i);
    const q = codes4(x, audible, scale, lowest, highest, magic);
    sum = i32x4.add(sum, v128.and(q, inside));
    const code = v128.and(i32x4.add(q, shift), inside);
    if (digits == 1) {
      store4(codes + i, code);
    } else {
      store4(codes + i, i32x4.shr_u(code, 7));
      store4(low + i, v128.and(code, i32x4.splat(127)));
    }
  }
  for (; i & 15; i += 4) {
    store<i32>(codes + i, 0);
    if (digits != 1) store<i32>(low + i, 0);
  }
  sum = i32x4.add(sum, i8x16.shuffle(sum, sum, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1);
}

/** Stores the low bytes of four lanes. */
@inline
function store4(to: usize, lanes: v128): void {
  const halves = i16x8.narrow_i32x4_s(lanes, lanes);
  v128.store_lane<i32>(to, i8x16.narrow_i16x8_u(halves, halves), 0);
}

export function quantize(pc: usize): void {
  const n = int(pc + Quantize.n);
  const digits = int(pc + Quantize.digits);
  const zero = int(pc + Quantize.zero);
  const limit = float(pc + Quantize.limit);
  const plane = <usize>int(pc + Quantize.plane);
  const fixed = float(pc + Quantize.scale);
  const srcStride = stride(pc + Quantize.src);
  const codesStride = stride(pc + Quantize.codes);
  const metaStride = stride(pc + Quantize.meta);
  let x = base(pc + Quantize.src);
  let codes = base(pc + Quantize.codes);
  let meta = base(pc + Quantize.meta);
  let scale = fixed;
  let inverse = float(pc + Quantize.inverse);
  for (let rows = rowCount(pc + Quantize.rows); rows > 0; rows--) {
    let silent = false;
    if (fixed == 0) {
      const m = largest(x, n);
      silent = m < TWO_TO_MINUS_100;
      scale = silent ? 0 : m / limit;
      inverse = silent ? 0 : limit / m;
    }
    const sum = codeRow(x, n, inverse, silent, zero, digits, codes, codes + plane);
    store<f32>(meta, scale);
    store<f32>(meta, <f32>sum, 4);
    x += srcStride;
    codes += codesStride;
    meta += metaStride;
  }
}
