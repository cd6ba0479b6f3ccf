import { madd } from './madd';

// C ← [C +] op(A)·op(B), row-major with leading dimensions, blocked as Goto & van de Geijn 2008 do it.
//
// B is packed in panels of twelve columns, k after k, so that a block of them (NC columns, KC deep) stays in the second cache
// and a panel in the first. A matrix that multiplies many others (the recurrent weights: once per time step) is packed
// whole, once: `pack` and `gemmPacked`. Its blocks stand one after the other as `gemm` would make them.
//
// A is packed three rows at a time, just before they meet the block of B, and each number four times: the kernel then reads
// A as it reads B. Baseline compilers of today make two instructions of a load that splats, and the kernel is bound by how
// many instructions are decoded, not by arithmetic: three rows by twelve columns with A repeated make 40 billion operations
// a second where four by eight with splats make 34.

const ROWS: i32 = 3;
const COLS: i32 = 12;
/** Bytes of a panel per k, of A (three numbers, four times each) as of B. */
const STEP: usize = 48;

const KC: i32 = 256;
const NC: i32 = 384;

/** Floats of scratch that `gemm` needs: a panel of A, a tile of sums, a block of B. */
export const scratchFloats: i32 = KC * COLS + ROWS * COLS + KC * NC;

/** Bytes of a packed block of B: columns are filled up to whole panels. */
@inline
function blockBytes(kc: i32, nc: i32): usize {
  return <usize>kc * STEP * ((nc + COLS - 1) / COLS);
}

/** Three rows of op(A), kc columns. Rows past the last repeat the first: what they give is not stored. */
function packA(to: usize, a: usize, rowStep: usize, colStep: usize, rows: i32, kc: i32): void {
  const second = rows > 1 ? rowStep : 0;
  const third = rows > 2 ? 2 * rowStep : 0;
  for (const end = to + <usize>kc * STEP; to < end; to += STEP, a += colStep) {
    v128.store(to, v128.load_splat<f32>(a));
    v128.store(to, v128.load_splat<f32>(a + second), 16);
    v128.store(to, v128.load_splat<f32>(a + third), 32);
  }
}

/** kc rows of op(B), columns in panels of twelve, zeros past the last. */
function packB(to: usize, b: usize, rowStep: usize, colStep: usize, kc: i32, cols: i32): void {
  for (let j = 0; j < cols; j += COLS, to += <usize>kc * STEP) {
    for (let group = 0; group < COLS; group += 4, b += 4 * colStep) {
      const left = cols - j - group;
      const at = to + (<usize>group << 2);
      if (left >= 4 && colStep == 4) packCopied(at, b, rowStep, kc);
      else if (left >= 4 && rowStep == 4) packTransposed(at, b, colStep, kc);
      else packSingly(at, b, rowStep, colStep, kc, left);
    }
  }
}

/** Four columns that stand side by side. */
function packCopied(to: usize, b: usize, rowStep: usize, kc: i32): void {
  for (const end = to + <usize>kc * STEP; to < end; to += STEP, b += rowStep) v128.store(to, v128.load(b));
}

/** Four columns that stand as rows: four by four through shuffles. */
function packTransposed(to: usize, b: usize, colStep: usize, kc: i32): void {
  for (; kc >= 4; kc -= 4, b += 16, to += 4 * STEP) {
    const r0 = v128.load(b);
    const r1 = v128.load(b + colStep);
    const r2 = v128.load(b + 2 * colStep);
    const r3 = v128.load(b + 3 * colStep);
    const a01 = i8x16.shuffle(r0, r1, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    const b01 = i8x16.shuffle(r0, r1, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
    const a23 = i8x16.shuffle(r2, r3, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    const b23 = i8x16.shuffle(r2, r3, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
    v128.store(to, i8x16.shuffle(a01, a23, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
    v128.store(to, i8x16.shuffle(a01, a23, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), STEP);
    v128.store(to, i8x16.shuffle(b01, b23, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23), 2 * STEP);
    v128.store(to, i8x16.shuffle(b01, b23, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), 3 * STEP);
  }
  packSingly(to, b, 4, colStep, kc, 4);
}

function packSingly(to: usize, b: usize, rowStep: usize, colStep: usize, kc: i32, left: i32): void {
  for (; kc > 0; kc--, b += rowStep, to += STEP) {
    for (let c = 0; c < 4; c++) store<f32>(to + (<usize>c << 2), c < left ? load<f32>(b + <usize>c * colStep) : 0);
  }
}

/**
 * Up to three rows by up to three vectors of columns, both constants where it is inlined: nine sums, three vectors of B and
 * one of A fit the registers that compilers give. The sums are stored and no more, because arithmetic on them after the loop
 * makes V8 load all operands first, and run out of registers.
 */
@inline
function tile(rows: i32, vectors: i32, a: usize, b: usize, kc: i32, sums: usize): void {
  let s00 = f32x4.splat(0);
  let s01 = f32x4.splat(0);
  let s02 = f32x4.splat(0);
  let s10 = f32x4.splat(0);
  let s11 = f32x4.splat(0);
  let s12 = f32x4.splat(0);
  let s20 = f32x4.splat(0);
  let s21 = f32x4.splat(0);
  let s22 = f32x4.splat(0);
  for (const end = a + <usize>kc * STEP; a < end; a += STEP, b += STEP) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const b2 = v128.load(b, 32);
    let x = v128.load(a);
    s00 = madd(x, b0, s00);
    if (vectors > 1) s01 = madd(x, b1, s01);
    if (vectors > 2) s02 = madd(x, b2, s02);
    if (rows > 1) {
      x = v128.load(a, 16);
      s10 = madd(x, b0, s10);
      if (vectors > 1) s11 = madd(x, b1, s11);
      if (vectors > 2) s12 = madd(x, b2, s12);
    }
    if (rows > 2) {
      x = v128.load(a, 32);
      s20 = madd(x, b0, s20);
      if (vectors > 1) s21 = madd(x, b1, s21);
      if (vectors > 2) s22 = madd(x, b2, s22);
    }
  }
  v128.store(sums, s00);
  if (vectors > 1) v128.store(sums, s01, 16);
  if (vectors > 2) v128.store(sums, s02, 32);
  if (rows > 1) {
    v128.store(sums, s10, 48);
    if (vectors > 1) v128.store(sums, s11, 64);
    if (vectors > 2) v128.store(sums, s12, 80);
  }
  if (rows > 2) {
    v128.store(sums, s20, 96);
    if (vectors > 1) v128.store(sums, s21, 112);
    if (vectors > 2) v128.store(sums, s22, 128);
  }
}

// Exported, though nobody calls them from outside: put into their only caller they would share its registers.

export function whole(a: usize, b: usize, kc: i32, sums: usize): void {
  tile(3, 3, a, b, kc, sums);
}

export function twoRows(a: usize, b: usize, kc: i32, sums: usize): void {
  tile(2, 3, a, b, kc, sums);
}

export function oneRow(a: usize, b: usize, kc: i32, sums: usize): void {
  tile(1, 3, a, b, kc, sums);
}

export function twoVectors(a: usize, b: usize, kc: i32, sums: usize): void {
  tile(3, 2, a, b, kc, sums);
}

export function oneVector(a: usize, b: usize, kc: i32, sums: usize): void {
  tile(3, 1, a, b, kc, sums);
}

@inline
function putVector(c: usize, sum: v128, add: bool): void {
  v128.store(c, add ? f32x4.add(v128.load(c), sum) : sum);
}

/** C ← [C +] a tile of sums, rows STEP apart. */
function put(rows: i32, cols: i32, sums: usize, c: usize, step: usize, add: bool): void {
  for (; rows > 0; rows--, sums += STEP, c += step) {
    if (cols >= COLS) {
      putVector(c, v128.load(sums), add);
      putVector(c + 16, v128.load(sums, 16), add);
      putVector(c + 32, v128.load(sums, 32), add);
      continue;
    }
    for (let j = 0; j < cols; j++) {
      const at = <usize>j << 2;
      const sum = load<f32>(sums + at);
      store<f32>(c + at, add ? load<f32>(c + at) + sum : sum);
    }
  }
}

/** C [m, nc] ← (add ? C : 0) + op(A) [m, kc] · a packed block of B. */
function multiply(
  m: i32,
  nc: i32,
  kc: i32,
  a: usize,
  aRow: usize,
  aCol: usize,
  block: usize,
  c: usize,
  cRow: usize,
  add: bool,
  scratch: usize,
): void {
  const sums = scratch + <usize>KC * STEP;
  for (; m > 0; m -= ROWS, a += ROWS * aRow, c += ROWS * cRow) {
    packA(scratch, a, aRow, aCol, m, kc);
    let b = block;
    let to = c;
    for (let left = nc; left > 0; left -= COLS, b += <usize>kc * STEP, to += COLS * 4) {
      if (left <= 4) oneVector(scratch, b, kc, sums);
      else if (left <= 8) twoVectors(scratch, b, kc, sums);
      else if (m >= ROWS) whole(scratch, b, kc, sums);
      else if (m == 2) twoRows(scratch, b, kc, sums);
      else oneRow(scratch, b, kc, sums);
      put(min(ROWS, m), left, sums, to, cRow, add);
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
  const block = scratch + (KC * COLS + ROWS * COLS) * 4;
  for (let j = 0; j < n; j += NC) {
    const nc = min(NC, n - j);
    for (let p = 0; p < k; p += KC) {
      const kc = min(KC, k - p);
      packB(block, b + <usize>p * bRow + <usize>j * bCol, bRow, bCol, kc, nc);
      multiply(m, nc, kc, a + <usize>p * aCol, aRow, aCol, block, c + (<usize>j << 2), cRow, p > 0 || add != 0, scratch);
    }
  }
}

/** All blocks of op(B) [k, n], for `gemmPacked`; `to` has room for whole panels: k·⌈n/12⌉·12 floats. */
export function pack(n: i32, k: i32, b: usize, bRow: usize, bCol: usize, to: usize): void {
  for (let j = 0; j < n; j += NC) {
    const nc = min(NC, n - j);
    for (let p = 0; p < k; p += KC) {
      const kc = min(KC, k - p);
      packB(to, b + <usize>p * bRow + <usize>j * bCol, bRow, bCol, kc, nc);
      to += blockBytes(kc, nc);
    }
  }
}

/** As `gemm`, with A as it stands and op(B) as `pack` laid it out. */
export function gemmPacked(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  aRow: usize,
  packed: usize,
  c: usize,
  cRow: usize,
  add: i32,
  scratch: usize,
): void {
  for (let j = 0; j < n; j += NC) {
    const nc = min(NC, n - j);
    for (let p = 0; p < k; p += KC) {
      const kc = min(KC, k - p);
      multiply(m, nc, kc, a + (<usize>p << 2), aRow, 4, packed, c + (<usize>j << 2), cRow, p > 0 || add != 0, scratch);
      packed += blockBytes(kc, nc);
    }
  }
}
