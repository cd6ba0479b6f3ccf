import { applyFunction, exp, sigmoid, tanh } from '../../numerics/scalar.ts';
import type { Frame } from './frame.ts';

const f32 = Math.fround;

/** dst[r][i] ← compute(word index of row r of each named operand, i). */
function each(f: Frame, rows: number, names: readonly string[], compute: (at: number[], i: number) => number): void {
  const refs = names.map((name) => f.ref(name));
  const dst = f.ref('dst');
  for (let r = 0; r < rows; r++) {
    const at = refs.map((ref) => ref.at + r * ref.stride);
    for (let i = 0; i < f.int('n'); i++) f.f32[dst.at + r * dst.stride + i] = compute(at, i);
  }
}

const row = (f: Frame, name: string, r: number): number => {
  const ref = f.ref(name);
  return ref.at + r * ref.stride;
};

export function loadState(f: Frame): void {
  for (let b = 0; b < f.batch; b++) {
    for (let i = 0; i < f.int('n'); i++) f.f32[row(f, 'dst', b) + i] = f.f32[f.state(b) + i]!;
  }
}

export function storeState(f: Frame): void {
  for (let b = 0; b < f.batch; b++) {
    for (let i = 0; i < f.int('n'); i++) f.f32[f.state(b) + i] = f.f32[row(f, 'src', b) + i]!;
  }
}

export function copy(f: Frame): void {
  each(f, f.rows, ['src'], ([src], i) => f.f32[src! + i]!);
}

export function fill(f: Frame): void {
  each(f, f.rows, [], () => f.float('value'));
}

export function unary(f: Frame): void {
  const fn = f.int('function');
  each(f, f.rows, ['src'], ([src], i) =>
    applyFunction(fn, f.f32[src! + i]!, f.float('p0'), f.float('p1'), f.float('p2')),
  );
}

const binaryMeaning = [
  (a: number, b: number) => a + b,
  (a: number, b: number) => a - b,
  (a: number, b: number) => a * b,
  (a: number, b: number) => a / b,
  (a: number, b: number) => (a < b ? b : a),
  (a: number, b: number) => (b < a ? b : a),
];

export function binary(f: Frame): void {
  const meaning = binaryMeaning[f.int('function')]!;
  each(f, f.rows, ['a', 'b'], ([a, b], i) => f32(meaning(f.f32[a! + i]!, f.f32[b! + i]!)));
}

export function prelu(f: Frame): void {
  const slope = f.int('slope') >> 2;
  each(f, f.rows, ['src'], ([src], i) => {
    const x = f.f32[src! + i]!;
    return x > 0 ? x : f32(f.f32[slope + i]! * x);
  });
}

export function mask(f: Frame): void {
  for (let r = 0; r < f.rows; r++) {
    let any = 0;
    for (let i = 0; i < f.int('n'); i++) if (f.f32[row(f, 'src', r) + i] !== f.float('value')) any = 1;
    f.f32[row(f, 'dst', r)] = any;
  }
}

export function select(f: Frame): void {
  const { absent } = f.ref('b');
  each(f, f.rows, ['mask', 'a', 'b'], ([m, a, b], i) => {
    if (f.f32[m!] !== 0) return f.f32[a! + i]!;
    return absent ? 0 : f.f32[b! + i]!;
  });
}

/** Element i goes to lane i mod 4; then (s0 + s1) + (s2 + s3). */
function laneSum(n: number, value: (i: number) => number): number {
  const s = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) s[i & 3] = f32(s[i & 3]! + value(i));
  return f32(f32(s[0]! + s[1]!) + f32(s[2]! + s[3]!));
}

export function softmax(f: Frame): void {
  const n = f.int('n');
  for (let r = 0; r < f.rows; r++) {
    const src = row(f, 'src', r);
    const dst = row(f, 'dst', r);
    let m = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < n; i++) m = m < f.f32[src + i]! ? f.f32[src + i]! : m;
    for (let i = 0; i < n; i++) {
      const d = f32(f.f32[src + i]! - m);
      // Below −64 the quotient could become subnormal.
      f.f32[dst + i] = exp(d < -64 ? -64 : d);
    }
    const sum = laneSum(n, (i) => f.f32[dst + i]!);
    for (let i = 0; i < n; i++) f.f32[dst + i] = f32(f.f32[dst + i]! / sum);
  }
}

export function normalize(f: Frame): void {
  const n = f.int('n');
  const kind = f.int('kind');
  const gamma = f.int('gamma') >> 2;
  const beta = f.int('beta') >> 2;
  const epsilon = f.float('epsilon');
  for (let r = 0; r < f.rows; r++) {
    const src = row(f, 'src', r);
    const dst = row(f, 'dst', r);
    const mean = kind === 0 ? f32(laneSum(n, (i) => f.f32[src + i]!) / n) : 0;
    const d = (i: number) => (kind === 0 ? f32(f.f32[src + i]! - mean) : f.f32[src + i]!);
    const squares = laneSum(n, (i) => f32(d(i) * d(i)));
    const under = kind === 2 ? (squares < epsilon ? epsilon : squares) : f32(f32(squares / n) + epsilon);
    const inverse = f32(1 / f32(Math.sqrt(under)));
    const out = Float32Array.from({ length: n }, (_, i) => {
      let y = f32(d(i) * inverse);
      if (gamma) y = f32(y * f.f32[gamma + i]!);
      return beta ? f32(y + f.f32[beta + i]!) : y;
    });
    f.f32.set(out, dst);
  }
}

export function lstm(f: Frame): void {
  const gate = f.int('gate');
  for (let b = 0; b < f.batch; b++) {
    const z = row(f, 'z', b);
    const c = row(f, 'c', b);
    const h = row(f, 'h', b);
    for (let k = 0; k < f.int('n'); k++) {
      const i = sigmoid(f.f32[z + k]!);
      const forget = sigmoid(f.f32[z + gate + k]!);
      const o = sigmoid(f.f32[z + 2 * gate + k]!);
      const g = tanh(f.f32[z + 3 * gate + k]!);
      const next = f32(f32(forget * f.f32[c + k]!) + f32(i * g));
      f.f32[c + k] = next;
      f.f32[h + k] = f32(o * tanh(next));
    }
  }
}

export function gru(f: Frame): void {
  const gate = f.int('gate');
  for (let b = 0; b < f.batch; b++) {
    const pre = row(f, 'pre', b);
    const u = row(f, 'u', b);
    for (let k = 0; k < f.int('n'); k++) {
      const z = sigmoid(f32(f.f32[pre + k]! + f.f32[u + k]!));
      const reset = sigmoid(f32(f.f32[pre + gate + k]! + f.f32[u + gate + k]!));
      const n = tanh(f32(f.f32[pre + 2 * gate + k]! + f32(reset * f.f32[u + 2 * gate + k]!)));
      const h = f.f32[row(f, 'h', b) + k]!;
      f.f32[row(f, 'dst', b) + k] = f32(f32(z * h) + f32(f32(1 - z) * n));
    }
  }
}
