import type { Frame } from './frame.ts';

const f32 = Math.fround;

/** Writes v + bias, add + v or v for output i of a row. */
export function finish(f: Frame, r: number, i: number, v: number): void {
  const dst = f.ref('dst');
  const add = f.ref('add');
  const bias = f.int('bias');
  let y = v;
  if (bias) y = f32(v + f.f32[(bias >> 2) + i]!);
  else if (!add.absent) y = f32(f.f32[add.at + r * add.stride + i]! + v);
  f.f32[dst.at + r * dst.stride + i] = y;
}

export function linearF32(f: Frame): void {
  const src = f.ref('src');
  const k = f.int('k');
  for (let r = 0; r < f.rows; r++) {
    for (let i = 0; i < f.int('strips') * 16; i++) {
      const w = (f.int('weights') >> 2) + (i >> 4) * 16 * k + (i & 15);
      let sum = 0;
      for (let j = 0; j < k; j++) sum = f32(sum + f32(f.f32[w + 16 * j]! * f.f32[src.at + r * src.stride + j]!));
      finish(f, r, i, sum);
    }
  }
}

export function linearCodes(f: Frame): void {
  const src = f.ref('src');
  const k = f.int('k');
  const codes = f.int('wide') ? f.i16 : f.i8;
  const weights = f.int('wide') ? f.int('weights') >> 1 : f.int('weights');
  const offsets = f.int('offsets');
  for (let r = 0; r < f.rows; r++) {
    const x = src.at + r * src.stride;
    let inputs = 0;
    for (let j = 0; j < k; j++) inputs = f32(inputs + f.f32[x + j]!);
    for (let i = 0; i < f.int('strips') * 16; i++) {
      const w = weights + (i >> 4) * 16 * k + (i & 15);
      let sum = 0;
      for (let j = 0; j < k; j++) sum = f32(sum + f32(codes[w + 16 * j]! * f.f32[x + j]!));
      let v = f32(f.f32[(f.int('scales') >> 2) + i]! * sum);
      if (offsets) v = f32(v + f32(f.f32[(offsets >> 2) + i]! * inputs));
      finish(f, r, i, v);
    }
  }
}

export function quantize(f: Frame): void {
  const src = f.ref('src');
  const codes = f.ref('codes');
  const meta = f.ref('meta');
  const n = f.int('n');
  const digits = f.int('digits');
  const zero = f.int('zero');
  const high = 128 ** digits - 1 - zero;
  const plane = f.int('plane');
  for (let r = 0; r < f.rows; r++) {
    const x = src.at + r * src.stride;
    const out = (codes.at + r * codes.stride) * 4;
    let scale = f.float('scale');
    let inverse = f.float('inverse');
    if (scale === 0) {
      let m = 0;
      for (let j = 0; j < n; j++) {
        const a = Math.abs(f.f32[x + j]!);
        m = m < a ? a : m;
      }
      const limit = f.float('limit');
      const tiny = m < 2 ** -100;
      inverse = tiny ? 0 : f32(limit / m);
      scale = tiny ? 0 : f32(m / limit);
    }
    let sum = 0;
    for (let j = 0; j < Math.ceil(n / 16) * 16; j++) {
      let code = 0;
      if (j < n) {
        const v = f32(f.f32[x + j]! * inverse);
        const above = -zero < v ? v : -zero;
        const clamped = high < above ? high : above;
        const rounded = scale === 0 ? 0 : f32(f32(clamped + 12582912) - 12582912);
        sum += rounded;
        code = rounded + zero;
      }
      if (digits === 2) {
        f.u8[out + j] = code >> 7;
        f.u8[out + plane + j] = code & 127;
      } else {
        f.u8[out + j] = code;
      }
    }
    f.f32[meta.at + r * meta.stride] = scale;
    f.f32[meta.at + r * meta.stride + 1] = sum;
  }
}

/** The integer products: `sum` gives Σ q·code of output i over the codes from byte `codesAt` on. */
export function integerProduct(f: Frame, sum: (i: number, codesAt: number) => number): void {
  const codes = f.ref('codes');
  const meta = f.ref('meta');
  const digits = f.int('digits');
  const plane = f.int('plane');
  const offsets = f.int('offsets');
  for (let r = 0; r < f.rows; r++) {
    const x = (codes.at + r * codes.stride) * 4;
    const sx = f.f32[meta.at + r * meta.stride]!;
    const codeSum = f.f32[meta.at + r * meta.stride + 1]!;
    for (let i = 0; i < f.int('strips') * 16; i++) {
      const high = f32(f.i32[(f.int('start') >> 2) + i]! + sum(i, x));
      const acc = digits === 2 ? f32(f32(high * 128) + f32(sum(i, x + plane))) : high;
      let v = f32(acc * f32(f.f32[(f.int('scales') >> 2) + i]! * sx));
      if (offsets) v = f32(v + f32(codeSum * f32(f.f32[(offsets >> 2) + i]! * sx)));
      finish(f, r, i, v);
    }
  }
}

/** linearI8 and linearI4: `weight` reads q of output i, column j. */
function linearInteger(f: Frame, weight: (i: number, j: number) => number): void {
  const k = f.int('k');
  integerProduct(f, (i, codesAt) => {
    let sum = 0;
    for (let j = 0; j < k; j++) sum += weight(i, j) * f.u8[codesAt + j]!;
    return sum;
  });
}

export function linearI8(f: Frame): void {
  const strip = Math.ceil(f.int('k') / 4) * 64;
  const weights = f.int('weights');
  linearInteger(f, (i, j) => {
    return f.i8[weights + (i >> 4) * strip + (j >> 2) * 64 + ((i & 15) >> 2) * 16 + (i & 3) * 4 + (j & 3)]!;
  });
}

export function linearI4(f: Frame): void {
  const strip = Math.ceil(f.int('k') / 4) * 32;
  const weights = f.int('weights');
  const tables = f.int('tables');
  linearInteger(f, (i, j) => {
    const block = (i & 15) >> 2;
    const byte = f.u8[weights + (i >> 4) * strip + (j >> 2) * 32 + (block >> 1) * 16 + (i & 3) * 4 + (j & 3)]!;
    const index = block & 1 ? byte >> 4 : byte & 15;
    return f.i8[tables + (i >> 4) * 16 + index]!;
  });
}

export function embed(f: Frame): void {
  const src = f.ref('src');
  const dst = f.ref('dst');
  const n = f.int('n');
  const scales = f.int('scales');
  const offsets = f.int('offsets');
  for (let r = 0; r < f.rows; r++) {
    const id = f.f32[src.at + r * src.stride]!;
    const known = id >= 0 && id < f.int('vocabulary') && Number.isInteger(id);
    if (!known) f.reportId(id);
    const row = f.int('table') + (known ? id * f.int('stride') : 0);
    for (let i = 0; i < n; i++) {
      let v = 0;
      if (known && scales) {
        v = f32(f.i8[row + i]! * f.f32[(scales >> 2) + id]!);
        if (offsets) v = f32(v + f.f32[(offsets >> 2) + id]!);
      } else if (known) v = f.f32[(row >> 2) + i]!;
      f.f32[dst.at + r * dst.stride + i] = v;
    }
  }
}
