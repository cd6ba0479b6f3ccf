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

export function moved(c: Case, n: number): Operands {
  const src = c.source(n);
  return { rows: c.rows, src, dst: c.target(n, { exact: true, inPlace: src }), n };
}

export function mapped(c: Case, n = c.width()): Operands & { src: Ref; n: number } {
  const src = c.source(n);
  return { rows: c.rows, src, dst: c.target(n, { inPlace: src }), n };
}

/** What linear instructions share: bias or add, strips, destination. */
export function product(c: Case): Operands & { strips: number; k: number } {
  const strips = c.whole(1, 4);
  const outputs = strips * 16;
  const operands = { rows: c.rows, strips, k: c.pick([0, 1, 2, 3, 4, 5, 8, 11, 16, 23, 64, 100]) };
  if (c.chance(0.3)) return { ...operands, dst: c.target(outputs), bias: c.constant(outputs) };
  if (c.chance(0.3)) return { ...operands, dst: c.target(outputs) };
  const add = c.source(outputs);
  return { ...operands, dst: c.target(outputs, { inPlace: add }), add };
}

export function bytes(c: Case, count: number, low: number, high: number): Int8Array {
  // Extremes are where pair sums saturate.
  return Int8Array.from({ length: count }, () => (c.chance(0.3) ? c.pick([low, high]) : c.whole(low, high)));
}

/** Operand codes, their scale and sum, and the float epilogue of linearI8 and linearI4. */
export function integerProduct(c: Case): Operands & { strips: number; k: number } {
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
export function tileList(c: Case, strips: number, k: number): { tiles: number; index: number } {
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

/** A list of single weights of rows in fours, as csrF32 takes it. */
export function entryList(c: Case, strips: number, k: number): { entries: number; index: number } {
  const rows = Array.from({ length: 16 * strips }, (_, row) => {
    const density = c.pick([0, 0.1, 0.1, 0.5, 1]);
    return { row, columns: Array.from({ length: k }, (__, column) => column).filter(() => c.chance(density)) };
  });
  const index: number[] = [];
  while (rows.length > 0) {
    const four = Array.from({ length: 4 }, () => rows.splice(c.whole(0, rows.length - 1), 1)[0]!);
    four.sort((a, b) => a.columns.length - b.columns.length);
    const shared = four[0]!.columns.length;
    index.push(...four.map(({ row }) => row), ...four.map(({ columns }) => columns.length));
    for (let i = 0; i < shared; i++) index.push(...four.map(({ columns }) => columns[i]!));
    index.push(...four.flatMap(({ columns }) => columns.slice(shared)));
  }
  return { entries: index.length - 32 * strips, index: c.image.constant(Uint16Array.from(index)) };
}

export function windows(c: Case): { size: number; dilation: number; stride: number } {
  return { size: c.whole(1, 4), dilation: c.whole(1, 3), stride: c.whole(1, 3) };
}
