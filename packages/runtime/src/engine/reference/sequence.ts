import type { Frame } from './frame.ts';

const f32 = Math.fround;

/** Word index of row (b, j) of a sequence of `rows` rows per batch element. */
function rowOf(f: Frame, name: string, rows: number, b: number, j: number): number {
  const ref = f.ref(name);
  return ref.at + (b * rows + j) * ref.stride;
}

export function pick(f: Frame): void {
  const outRows = f.register('outRows');
  const inRows = f.register('inRows');
  const origin = f.int('origin') + (f.int('fromEnd') ? inRows - 1 : 0);
  for (let b = 0; b < f.batch; b++) {
    for (let j = 0; j < outRows; j++) {
      const from = origin + Math.floor(j / f.int('divide')) * f.int('step');
      const src = rowOf(f, 'src', inRows, b, from);
      const dst = rowOf(f, 'dst', outRows, b, j);
      for (let i = 0; i < f.int('n'); i++) f.f32[dst + i] = from >= 0 && from < inRows ? f.f32[src + i]! : 0;
    }
  }
}

export function gather(f: Frame): void {
  const src = f.ref('src');
  const dst = f.ref('dst');
  const n = f.int('n');
  const indices = f.int('indices') >> 2;
  for (let r = 0; r < f.rows; r++) {
    for (let i = 0; i < n; i++) {
      f.f32[dst.at + r * dst.stride + i] = f.f32[src.at + r * src.stride + f.i32[indices + i]!]!;
    }
  }
}

export function reshape(f: Frame): void {
  const inRows = f.register('inRows');
  const outRows = f.register('outRows');
  const nIn = f.int('nIn');
  const nOut = f.int('nOut');
  for (let b = 0; b < f.batch; b++) {
    for (let e = 0; e < inRows * nIn; e++) {
      const src = rowOf(f, 'src', inRows, b, Math.floor(e / nIn)) + (e % nIn);
      const dst = rowOf(f, 'dst', outRows, b, Math.floor(e / nOut)) + (e % nOut);
      f.f32[dst] = f.f32[src]!;
    }
  }
}

export function transpose(f: Frame): void {
  const inRows = f.register('inRows');
  const n = f.int('n');
  for (let b = 0; b < f.batch; b++) {
    for (let t = 0; t < inRows; t++) {
      for (let i = 0; i < n; i++) f.f32[rowOf(f, 'dst', n, b, i) + t] = f.f32[rowOf(f, 'src', inRows, b, t) + i]!;
    }
  }
}

export function unfold(f: Frame): void {
  const outRows = f.register('outRows');
  const inRows = f.register('inRows');
  const first = f.register('first');
  const n = f.int('n');
  const size = f.int('size');
  const dilation = f.int('dilation');
  const kept = (size - 1) * dilation;
  for (let b = 0; b < f.batch; b++) {
    const history = f.state(b);
    const read = (row: number, i: number): number => {
      if (row >= inRows) return 0;
      return f.f32[row < 0 ? history + (kept + row) * n + i : rowOf(f, 'src', inRows, b, row) + i]!;
    };
    for (let j = 0; j < outRows; j++) {
      const start = first + j * f.int('stride');
      const dst = rowOf(f, 'dst', outRows, b, j);
      for (let tap = 0; tap < size; tap++) {
        for (let i = 0; i < n; i++) f.f32[dst + tap * n + i] = read(start + tap * dilation, i);
      }
    }
    const next = Float32Array.from({ length: kept * n }, (_, e) => read(inRows - kept + Math.floor(e / n), e % n));
    f.f32.set(next, history);
  }
}

/** max 0, mean 1, sum 2 of the values a generator yields, in order. */
function reduce(kind: number, values: Iterable<number>): number {
  let count = 0;
  let total = kind === 0 ? Number.NEGATIVE_INFINITY : 0;
  for (const x of values) {
    if (kind === 0) total = total < x ? x : total;
    else total = f32(total + x);
    count++;
  }
  return kind === 1 ? f32(total / count) : total;
}

export function reduceTaps(f: Frame): void {
  const src = f.ref('src');
  const dst = f.ref('dst');
  const n = f.int('n');
  for (let r = 0; r < f.rows; r++) {
    for (let i = 0; i < n; i++) {
      const taps = Array.from({ length: f.int('size') }, (_, tap) => f.f32[src.at + r * src.stride + tap * n + i]!);
      f.f32[dst.at + r * dst.stride + i] = reduce(f.int('function'), taps);
    }
  }
}

export function pool(f: Frame): void {
  const outRows = f.register('outRows');
  const inRows = f.register('inRows');
  for (let b = 0; b < f.batch; b++) {
    for (let j = 0; j < outRows; j++) {
      const start = j * f.int('stride') - f.int('left');
      for (let i = 0; i < f.int('n'); i++) {
        const taps: number[] = [];
        for (let row = Math.max(start, 0); row < Math.min(start + f.int('size'), inRows); row++) {
          taps.push(f.f32[rowOf(f, 'src', inRows, b, row) + i]!);
        }
        f.f32[rowOf(f, 'dst', outRows, b, j) + i] = reduce(f.int('function'), taps);
      }
    }
  }
}

export function reduceTime(f: Frame): void {
  const inRows = f.register('inRows');
  const unmasked = f.ref('mask').absent;
  for (let b = 0; b < f.batch; b++) {
    for (let i = 0; i < f.int('n'); i++) {
      const values: number[] = [];
      for (let t = 0; t < inRows; t++) {
        if (unmasked || f.f32[rowOf(f, 'mask', inRows, b, t)] !== 0) {
          values.push(f.f32[rowOf(f, 'src', inRows, b, t) + i]!);
        }
      }
      f.f32[rowOf(f, 'dst', 1, b, 0) + i] = reduce(f.int('function'), values);
    }
  }
}
