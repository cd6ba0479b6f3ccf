import type { Opcode } from '../../src/lower/opcodes.ts';
import { functionNames } from '../../src/numerics/activation.ts';
import { roundUp } from '../../src/tensor/index.ts';
import type { Image, Operands, Ref } from './image.ts';

/** Random operands of one instruction. Inside a scan of `steps` steps, references may be sequences. */
export class Case {
  readonly image: Image;
  readonly steps: number | undefined;
  /** The register behind `rows`, and the rows it stands for. */
  readonly rows: number;
  readonly rowCount: number;

  constructor(image: Image, steps: number | undefined) {
    this.image = image;
    this.steps = steps;
    const register = steps === undefined ? this.pick([0, 1, 1, 2, 3, 5]) : 1;
    this.rows = image.register(register);
    this.rowCount = image.batch * register;
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.image.random() * from.length)]!;
  }

  whole(low: number, high: number): number {
    return low + Math.floor(this.image.random() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.image.random() < probability;
  }

  /** A width: around the edges of vectors and tiles. */
  width(): number {
    return this.pick([1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 40, 65]);
  }

  /** An ordinary number; with `wild` also what is hard. */
  number(wild: boolean): number {
    if (wild && this.chance(0.25)) {
      return this.pick([0, -0, 1, -1, 0.5, 1e-30, -1e-30, 3e38, -3e38, 90, -90, 12.5, Number.NaN, 1 / 0, -1 / 0]);
    }
    return Math.fround((this.image.random() * 2 - 1) * this.pick([0.1, 1, 1, 4, 30]));
  }

  floats(count: number, wild = false): Float32Array {
    return Float32Array.from({ length: count }, () => this.number(wild));
  }

  constant(count: number): number {
    return this.image.constant(this.floats(roundUp(count, 16)));
  }

  maybe(make: () => number): number {
    return this.chance(0.5) ? make() : 0;
  }

  /** `count` rows of n floats; inside a scan B rows, or a whole sequence. */
  source(n: number, { count = this.rowCount, value = () => this.number(true) } = {}): Ref {
    const sequence = this.steps !== undefined && this.chance(0.5);
    const rows = sequence ? count * this.steps! : count;
    const stride = 4 * roundUp(n, 16) + this.pick([0, 0, 64]);
    const at = this.image.allocate(rows * stride + 4 * roundUp(n, 16));
    for (let r = 0; r < rows; r++) {
      for (let i = 0; i < n; i++) this.image.f32[((at + r * stride) >> 2) + i] = value();
    }
    return [at, sequence ? -stride : stride];
  }

  /** As `source`, and what is written there is compared. */
  target(n: number, { count = this.rowCount, exact = false, inPlace = undefined as Ref | undefined } = {}): Ref {
    const ref = inPlace && this.chance(0.4) ? inPlace : this.source(n, { count });
    this.fix(ref, n, count, exact);
    return ref;
  }

  fix([at, stride]: Ref, n: number, count: number, exact = false): void {
    const rows = stride < 0 ? count * this.steps! : count;
    const room = 4 * (exact ? n : roundUp(n, 16));
    for (let r = 0; r < rows; r++) this.image.fix(at + r * Math.abs(stride), n, room);
  }

  /** Rows per batch element of a whole sequence, as a register and a number. */
  sequence(least = 0): { register: number; rows: number } {
    const rows = this.whole(least, 7);
    return { register: this.image.register(rows), rows };
  }
}

function moved(c: Case, n: number): Operands {
  const src = c.source(n);
  return { rows: c.rows, src, dst: c.target(n, { exact: true, inPlace: src }), n };
}

function mapped(c: Case, n = c.width()): Operands & { src: Ref; n: number } {
  const src = c.source(n);
  return { rows: c.rows, src, dst: c.target(n, { inPlace: src }), n };
}

/** What linear instructions share: bias or add, strips, destination. */
function product(c: Case): Operands & { strips: number; k: number } {
  const strips = c.whole(1, 4);
  const outputs = strips * 16;
  const operands = { rows: c.rows, strips, k: c.pick([0, 1, 2, 3, 4, 5, 8, 11, 16, 23, 64, 100]) };
  if (c.chance(0.3)) return { ...operands, dst: c.target(outputs), bias: c.constant(outputs) };
  if (c.chance(0.3)) return { ...operands, dst: c.target(outputs) };
  const add = c.source(outputs);
  return { ...operands, dst: c.target(outputs, { inPlace: add }), add };
}

function bytes(c: Case, count: number, low: number, high: number): Int8Array {
  // Extremes are where pair sums saturate.
  return Int8Array.from({ length: count }, () => (c.chance(0.3) ? c.pick([low, high]) : c.whole(low, high)));
}

/** Operand codes, their scale and sum, and the float epilogue of linearI8 and linearI4. */
function integerProduct(c: Case): Operands & { strips: number; k: number } {
  const common = product(c);
  const { strips, k } = common;
  const digits = c.whole(1, 2);
  const plane = roundUp(k, 16) + c.pick([0, 16]);
  const [at, stride] = c.source((plane * digits) / 4 + 4);
  const rows = stride < 0 ? c.rowCount * c.steps! : c.rowCount;
  for (let r = 0; r < rows; r++) {
    const row = at + r * Math.abs(stride);
    c.image.u8.fill(0, row, row + plane * digits);
    for (let d = 0; d < digits; d++) c.image.u8.set(bytes(c, k, 0, 127), row + d * plane);
  }
  return {
    ...common,
    codes: [at, stride],
    meta: c.source(2, { value: () => c.number(c.chance(0.1)) }),
    scales: c.constant(strips * 16),
    offsets: c.maybe(() => c.constant(strips * 16)),
    start: c.image.constant(Int32Array.from({ length: strips * 16 }, () => c.whole(-2_000_000, 2_000_000))),
    digits,
    plane,
  };
}

/** Which tiles each strip of 8 rows has: none, some or all of them; pairs in any order. */
function tileList(c: Case, strips: number, k: number): { tiles: number; index: number } {
  const quads = roundUp(k, 4) / 4;
  const lists = Array.from({ length: 2 * strips }, (_, strip) => {
    const density = c.pick([0, 0.1, 0.5, 0.5, 1]);
    return { strip, tiles: Array.from({ length: quads }, (__, quad) => quad).filter(() => c.chance(density)) };
  });
  const index: number[] = [];
  while (lists.length > 0) {
    const pair = [0, 1].map(() => lists.splice(c.whole(0, lists.length - 1), 1)[0]!);
    pair.sort((a, b) => a.tiles.length - b.tiles.length);
    index.push(...pair.map(({ strip }) => strip), ...pair.map(({ tiles }) => tiles.length));
    index.push(...pair.flatMap(({ tiles }) => tiles));
  }
  return { tiles: index.length - 4 * strips, index: c.image.constant(Uint16Array.from(index)) };
}

function windows(c: Case): { size: number; dilation: number; stride: number } {
  return { size: c.whole(1, 4), dilation: c.whole(1, 3), stride: c.whole(1, 3) };
}

/** Random operands for every instruction: one that is missing here does not compile. */
export const cases: Readonly<Record<Exclude<Opcode, 'end' | 'scan'>, (c: Case) => Operands>> = {
  loadState(c) {
    const n = c.width();
    const { offset } = c.image.states(n, () => c.number(true));
    return { dst: c.target(n, { count: c.image.batch, exact: true }), state: offset, n };
  },
  storeState(c) {
    const n = c.width();
    const { offset, addresses } = c.image.states(n, () => c.number(true));
    c.image.fixStates(addresses, n);
    return { src: c.source(n, { count: c.image.batch }), state: offset, n };
  },
  copy: (c) => moved(c, c.width()),
  fill(c) {
    const n = c.width();
    return { rows: c.rows, dst: c.target(n, { exact: true }), n, value: c.number(true) };
  },
  linearF32(c) {
    const common = product(c);
    const weights = c.constant(common.strips * 16 * common.k);
    return { ...common, src: c.source(common.k, { value: () => c.number(c.chance(0.02)) }), weights };
  },
  linearCodes(c) {
    const common = product(c);
    const { strips, k } = common;
    const wide = c.whole(0, 1);
    const values = c.floats(strips * 16 * k).map((v) => v * (wide ? 1000 : 4));
    return {
      ...common,
      src: c.source(k, { value: () => c.number(c.chance(0.02)) }),
      weights: c.image.constant(wide ? Int16Array.from(values) : bytes(c, values.length, -128, 127)),
      scales: c.constant(strips * 16),
      offsets: c.maybe(() => c.constant(strips * 16)),
      wide,
    };
  },
  quantize(c) {
    const n = c.width();
    const digits = c.whole(1, 2);
    const plane = roundUp(n, 16);
    const codes = c.source((plane * digits) / 4);
    const rows = codes[1] < 0 ? c.rowCount * c.steps! : c.rowCount;
    for (let r = 0; r < rows; r++) {
      const row = codes[0] + r * Math.abs(codes[1]);
      c.image.fix(row, 0, plane * digits, plane * digits);
    }
    const zero = digits === 2 ? c.pick([0, 8192]) : c.pick([0, 1, 64, 127]);
    const dynamic = c.chance(0.5);
    const scale = c.pick([1 / 63, 0.1, 4]);
    // Silent rows, loud rows, rows with anything in them, and ties between two codes.
    const value = c.pick([
      () => 1e-31 * (c.image.random() - 0.5),
      () => c.pick([0, 1e-35, Number.NaN]),
      () => c.number(false),
      () => c.number(true),
      () => (c.whole(-200, 200) + 0.5) * Math.fround(scale),
    ]);
    return {
      rows: c.rows,
      src: c.source(n, { value }),
      codes,
      meta: c.target(2, { exact: true }),
      n,
      digits,
      zero,
      limit: c.pick(digits === 1 ? [63, 64, 127] : [8191, 16383]),
      scale: dynamic ? 0 : scale,
      inverse: dynamic ? 0 : 1 / scale,
      plane,
    };
  },
  linearI8(c) {
    const common = integerProduct(c);
    const weights = bytes(c, common.strips * roundUp(common.k, 4) * 16, -128, 127);
    return { ...common, weights: c.image.constant(weights) };
  },
  linearI4(c) {
    const common = integerProduct(c);
    const weights = bytes(c, common.strips * roundUp(common.k, 4) * 8, -128, 127);
    const tables = c.image.constant(bytes(c, common.strips * 16, -128, 127));
    return { ...common, weights: c.image.constant(weights), tables };
  },
  sparseF32(c) {
    const common = product(c);
    const { tiles, index } = tileList(c, common.strips, common.k);
    const weights = c.constant(32 * tiles);
    return { ...common, src: c.source(common.k, { value: () => c.number(c.chance(0.02)) }), weights, index };
  },
  sparseI8(c) {
    const { k, ...common } = integerProduct(c);
    const { tiles, index } = tileList(c, common.strips, k);
    return { ...common, weights: c.image.constant(bytes(c, 32 * tiles, -128, 127)), index };
  },
  sparseI4(c) {
    const { k, ...common } = integerProduct(c);
    const { tiles, index } = tileList(c, common.strips, k);
    const weights = c.image.constant(bytes(c, 16 * tiles, -128, 127));
    return { ...common, weights, index, tables: c.image.constant(bytes(c, common.strips * 16, -128, 127)) };
  },
  embed(c) {
    const n = c.width();
    const vocabulary = c.whole(1, 9);
    const coded = c.chance(0.5);
    const wrong = c.chance(0.2);
    const id = () =>
      wrong && c.chance(0.3) ? c.pick([-1, 0.5, vocabulary, 1e30, Number.NaN, 1 / 0]) : c.whole(0, vocabulary - 1);
    const stride = coded ? roundUp(n, 16) : 4 * roundUp(n, 16);
    return {
      rows: c.rows,
      src: c.source(1, { value: id }),
      dst: c.target(n, { exact: true }),
      n,
      vocabulary,
      table: coded ? c.image.constant(bytes(c, vocabulary * stride, -128, 127)) : c.constant((vocabulary * stride) / 4),
      stride,
      scales: coded ? c.constant(vocabulary) : 0,
      offsets: coded ? c.maybe(() => c.constant(vocabulary)) : 0,
    };
  },
  unary(c) {
    const parameters = { p0: c.number(false), p1: c.number(false), p2: c.number(false) };
    const p0 = c.pick([0, parameters.p0, 1]);
    return { ...mapped(c), function: c.whole(0, functionNames.length - 1), ...parameters, p0 };
  },
  binary(c) {
    const n = c.width();
    const a = c.source(n);
    const b: Ref = c.chance(0.3) ? [c.constant(n), 0] : c.source(n);
    return {
      rows: c.rows,
      a,
      b,
      dst: c.target(n, { inPlace: c.pick([a, a, c.source(n)]) }),
      n,
      function: c.whole(0, 5),
    };
  },
  prelu(c) {
    const common = mapped(c);
    return { ...common, slope: c.constant(common.n) };
  },
  softmax(c) {
    const n = c.width();
    const wild = c.chance(0.3);
    const src = c.source(n, { value: () => c.number(wild) * c.pick([1, 10]) });
    return { rows: c.rows, src, dst: c.target(n, { inPlace: src }), n };
  },
  normalize(c) {
    const n = c.width();
    const wild = c.chance(0.2);
    const src = c.source(n, { value: () => c.number(wild) });
    const operands = { rows: c.rows, src, dst: c.target(n, { inPlace: src }), n };
    const gamma = c.maybe(() => c.constant(n));
    return {
      ...operands,
      kind: c.whole(0, 2),
      epsilon: c.pick([1e-5, 1e-3, 2]),
      gamma,
      beta: c.maybe(() => c.constant(n)),
    };
  },
  mask(c) {
    const n = c.width();
    const value = c.pick([0, -1, 0.25]);
    const src = c.source(n, { value: c.pick([() => value, () => c.number(true), () => (c.chance(0.02) ? 5 : value)]) });
    return { rows: c.rows, src, dst: c.target(1, { exact: true }), n, value };
  },
  select(c) {
    const n = c.width();
    const a = c.source(n);
    const b: Ref = c.chance(0.5) ? [0, 0] : c.source(n);
    const mask = c.source(1, { value: () => c.pick([0, 1, -0, 1, Number.NaN]) });
    return { rows: c.rows, mask, a, b, dst: c.target(n, { exact: true, inPlace: a }), n };
  },
  pick(c) {
    const n = c.width();
    const from = c.sequence();
    const to = c.sequence();
    return {
      outRows: to.register,
      inRows: from.register,
      src: c.source(n, { count: c.image.batch * from.rows }),
      dst: c.target(n, { count: c.image.batch * to.rows, exact: true }),
      n,
      origin: c.whole(-2, 4),
      step: c.whole(-2, 2),
      divide: c.whole(1, 3),
      fromEnd: c.whole(0, 1),
    };
  },
  reshape(c) {
    const [inRows, nIn, outRows, nOut] = c.pick([
      [4, 3, 3, 4],
      [1, 40, 8, 5],
      [7, 5, 5, 7],
      [2, 17, 17, 2],
      [0, 3, 0, 4],
      [6, 1, 1, 6],
    ] as const);
    return {
      inRows: c.image.register(inRows),
      outRows: c.image.register(outRows),
      src: c.source(nIn, { count: c.image.batch * inRows }),
      dst: c.target(nOut, { count: c.image.batch * outRows, exact: true }),
      nIn,
      nOut,
    };
  },
  gather(c) {
    const n = c.width();
    const from = c.width();
    const indices = Int32Array.from({ length: roundUp(n, 16) }, () => c.whole(0, from - 1));
    return {
      rows: c.rows,
      src: c.source(from),
      dst: c.target(n, { exact: true }),
      n,
      indices: c.image.constant(indices),
    };
  },
  transpose(c) {
    const n = c.width();
    const { register, rows } = c.sequence();
    const src = c.source(n, { count: c.image.batch * rows });
    return { inRows: register, src, dst: c.target(rows, { count: c.image.batch * n, exact: true }), n };
  },
  unfold(c) {
    const n = c.width();
    const from = c.sequence();
    const to = c.sequence();
    const { size, dilation, stride } = windows(c);
    const kept = (size - 1) * dilation;
    const { offset, addresses } = c.image.states(kept * n, () => c.number(true));
    c.image.fixStates(addresses, kept * n);
    return {
      outRows: to.register,
      inRows: from.register,
      first: c.image.register(c.whole(-kept, 2)),
      src: c.source(n, { count: c.image.batch * from.rows }),
      dst: c.target(size * n, { count: c.image.batch * to.rows, exact: true }),
      state: offset,
      n,
      size,
      dilation,
      stride,
    };
  },
  reduceTaps(c) {
    const n = c.width();
    const size = c.whole(1, 4);
    return { rows: c.rows, src: c.source(n * size), dst: c.target(n), n, size, function: c.whole(0, 1) };
  },
  pool(c) {
    const n = c.width();
    const from = c.sequence();
    const to = c.sequence();
    return {
      outRows: to.register,
      inRows: from.register,
      src: c.source(n, { count: c.image.batch * from.rows }),
      dst: c.target(n, { count: c.image.batch * to.rows }),
      n,
      size: c.whole(1, 4),
      stride: c.whole(1, 3),
      left: c.whole(0, 3),
      function: c.whole(0, 1),
    };
  },
  reduceTime(c) {
    const n = c.width();
    const { register, rows } = c.sequence();
    const count = c.image.batch * rows;
    const mask: Ref = c.chance(0.5) ? [0, 0] : c.source(1, { count, value: () => c.whole(0, 1) });
    const dst = c.target(n, { count: c.image.batch });
    return { inRows: register, src: c.source(n, { count }), mask, dst, n, function: c.whole(0, 2) };
  },
  lstm(c) {
    const n = c.width();
    const gate = roundUp(n, 16);
    const count = c.image.batch;
    const cell = c.target(n, { count });
    return { z: c.source(4 * gate, { count }), c: cell, h: c.target(n, { count }), n, gate };
  },
  gru(c) {
    const n = c.width();
    const gate = roundUp(n, 16);
    const count = c.image.batch;
    const h = c.source(n, { count });
    const dst = c.target(n, { count, inPlace: h });
    return { pre: c.source(3 * gate, { count }), u: c.source(3 * gate, { count }), h, dst, n, gate };
  },
};
