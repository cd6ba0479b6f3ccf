// C ← [C +] op(A)·op(B), row-major with leading dimensions, blocked as Goto & van de Geijn 2008 do it: panels of B that stay
// in the second cache, panels of A that stay in the first, packed so that the inner kernel reads both in order.

const KC: i32 = 256;
const MC: i32 = 128;
const NC: i32 = 512;

/** Floats of scratch that `gemm` needs: packed A and packed B, then a tile of C for the edges. */
export const scratchFloats: i32 = MC * KC + KC * NC + 32;

/** Four rows of four at `from`, `step` apart, to four columns at `to`, `pitch` apart. */
@inline
function transpose4(from: usize, step: usize, to: usize, pitch: usize): void {
  const r0 = v128.load(from);
  const r1 = v128.load(from + step);
  const r2 = v128.load(from + 2 * step);
  const r3 = v128.load(from + 3 * step);
  const a01 = i8x16.shuffle(r0, r1, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const b01 = i8x16.shuffle(r0, r1, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  const a23 = i8x16.shuffle(r2, r3, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const b23 = i8x16.shuffle(r2, r3, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  v128.store(to, i8x16.shuffle(a01, a23, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
  v128.store(to + pitch, i8x16.shuffle(a01, a23, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31));
  v128.store(to + 2 * pitch, i8x16.shuffle(b01, b23, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
  v128.store(to + 3 * pitch, i8x16.shuffle(b01, b23, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31));
}

/** Rows i…i+mr−1 (mr ≤ 4) of op(A), columns k…k+kc−1, as kc groups of four. */
function packA(to: usize, a: usize, rowStep: usize, colStep: usize, rows: i32, kc: i32): void {
  for (let i = 0; i < rows; i += 4, a += 4 * rowStep) {
    const left = rows - i;
    if (left >= 4 && colStep == 4) {
      // Four rows side by side, four columns at a time.
      let p = a;
      let k = 0;
      for (; k + 4 <= kc; k += 4, p += 16, to += 64) {
        transpose4(p, rowStep, to, 16);
      }
      for (; k < kc; k++, p += 4, to += 16) {
        store<f32>(to, load<f32>(p));
        store<f32>(to, load<f32>(p + rowStep), 4);
        store<f32>(to, load<f32>(p + 2 * rowStep), 8);
        store<f32>(to, load<f32>(p + 3 * rowStep), 12);
      }
    } else if (left >= 4 && rowStep == 4) {
      let p = a;
      for (let k = 0; k < kc; k++, p += colStep, to += 16) v128.store(to, v128.load(p));
    } else {
      let p = a;
      for (let k = 0; k < kc; k++, p += colStep, to += 16) {
        store<f32>(to, load<f32>(p));
        store<f32>(to, left > 1 ? load<f32>(p + rowStep) : 0, 4);
        store<f32>(to, left > 2 ? load<f32>(p + 2 * rowStep) : 0, 8);
        store<f32>(to, left > 3 ? load<f32>(p + 3 * rowStep) : 0, 12);
      }
    }
  }
}

/** kc rows of op(B), columns in groups of eight, zeros past the last. */
function packB(to: usize, b: usize, rowStep: usize, colStep: usize, kc: i32, cols: i32): void {
  for (let j = 0; j < cols; j += 8, b += 8 * colStep) {
    const left = cols - j;
    let p = b;
    if (left >= 8 && colStep == 4) {
      for (let k = 0; k < kc; k++, p += rowStep, to += 32) {
        v128.store(to, v128.load(p));
        v128.store(to, v128.load(p, 16), 16);
      }
    } else if (left >= 8 && rowStep == 4) {
      packTransposed(to, b, colStep, kc);
      to += <usize>kc << 5;
    } else {
      for (let k = 0; k < kc; k++, p += rowStep, to += 32) {
        for (let c = 0; c < 8; c++) {
          store<f32>(to + (<usize>c << 2), c < left ? load<f32>(p + <usize>c * colStep) : 0);
        }
      }
    }
  }
}

/** Eight columns that stand as rows: four by four through shuffles. */
function packTransposed(to: usize, b: usize, colStep: usize, kc: i32): void {
  for (let half: usize = 0; half < 32; half += 16, b += 4 * colStep) {
    let p = b;
    let q = to + half;
    let k = 0;
    for (; k + 4 <= kc; k += 4, p += 16, q += 128) {
      transpose4(p, colStep, q, 32);
    }
    for (; k < kc; k++, p += 4, q += 32) {
      store<f32>(q, load<f32>(p));
      store<f32>(q, load<f32>(p + colStep), 4);
      store<f32>(q, load<f32>(p + 2 * colStep), 8);
      store<f32>(q, load<f32>(p + 3 * colStep), 12);
    }
  }
}

@inline
function put(c: usize, lo: v128, hi: v128, add: bool): void {
  if (add) {
    lo = f32x4.add(v128.load(c), lo);
    hi = f32x4.add(v128.load(c, 16), hi);
  }
  v128.store(c, lo);
  v128.store(c, hi, 16);
}

/** Four rows by eight columns: eight sums in registers, two loads and four splats per column of A. */
function tile(a: usize, b: usize, kc: i32, c: usize, step: usize, add: bool): void {
  let s00 = f32x4.splat(0);
  let s01 = f32x4.splat(0);
  let s10 = f32x4.splat(0);
  let s11 = f32x4.splat(0);
  let s20 = f32x4.splat(0);
  let s21 = f32x4.splat(0);
  let s30 = f32x4.splat(0);
  let s31 = f32x4.splat(0);
  const end = a + (<usize>kc << 4);
  for (; a < end; a += 16, b += 32) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load_splat<f32>(a);
    s00 = f32x4.add(s00, f32x4.mul(x, b0));
    s01 = f32x4.add(s01, f32x4.mul(x, b1));
    x = v128.load_splat<f32>(a, 4);
    s10 = f32x4.add(s10, f32x4.mul(x, b0));
    s11 = f32x4.add(s11, f32x4.mul(x, b1));
    x = v128.load_splat<f32>(a, 8);
    s20 = f32x4.add(s20, f32x4.mul(x, b0));
    s21 = f32x4.add(s21, f32x4.mul(x, b1));
    x = v128.load_splat<f32>(a, 12);
    s30 = f32x4.add(s30, f32x4.mul(x, b0));
    s31 = f32x4.add(s31, f32x4.mul(x, b1));
  }
  put(c, s00, s01, add);
  put(c + step, s10, s11, add);
  put(c + 2 * step, s20, s21, add);
  put(c + 3 * step, s30, s31, add);
}

/** A tile at the edge goes through a whole tile of scratch. */
function edge(a: usize, b: usize, kc: i32, c: usize, step: usize, add: bool, rows: i32, cols: i32, scratch: usize): void {
  tile(a, b, kc, scratch, 32, false);
  for (let i = 0; i < rows; i++, c += step, scratch += 32) {
    for (let j = 0; j < cols; j++) {
      const at = <usize>j << 2;
      const value = load<f32>(scratch + at);
      store<f32>(c + at, add ? load<f32>(c + at) + value : value);
    }
  }
}

/**
 * C [m, n] ← (add ? C : 0) + op(A) [m, k] · op(B) [k, n]. Steps are in bytes between rows and between columns of op(A)
 * and op(B); one of each pair is 4. `scratch` has `scratchFloats` floats.
 */
export function gemm(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  aRow: usize,
  aCol: usize,
  b: usize,
  bRow: usize,
  bCol: usize,
  c: usize,
  cRow: usize,
  add: i32,
  scratch: usize,
): void {
  const packedA = scratch;
  const packedB = packedA + MC * KC * 4;
  const corner = packedB + KC * NC * 4;
  for (let j = 0; j < n; j += NC) {
    const nc = min(NC, n - j);
    for (let p = 0; p < k; p += KC) {
      const kc = min(KC, k - p);
      packB(packedB, b + <usize>p * bRow + <usize>j * bCol, bRow, bCol, kc, nc);
      const more = p > 0 || add != 0;
      for (let i = 0; i < m; i += MC) {
        const mc = min(MC, m - i);
        packA(packedA, a + <usize>i * aRow + <usize>p * aCol, aRow, aCol, mc, kc);
        for (let jj = 0; jj < nc; jj += 8) {
          const bp = packedB + (<usize>(jj * kc) << 2);
          for (let ii = 0; ii < mc; ii += 4) {
            const ap = packedA + (<usize>(ii * kc) << 2);
            const cp = c + <usize>(i + ii) * cRow + (<usize>(j + jj) << 2);
            if (mc - ii >= 4 && nc - jj >= 8) tile(ap, bp, kc, cp, cRow, more);
            else edge(ap, bp, kc, cp, cRow, more, min(4, mc - ii), min(8, nc - jj), corner);
          }
        }
      }
    }
  }
}
