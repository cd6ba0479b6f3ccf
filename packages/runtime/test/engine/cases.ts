import type { Opcode } from '../../src/lower/opcodes.ts';
import { functionNames } from '../../src/numerics/activation.ts';
import { roundUp } from '../../src/tensor/index.ts';
import { bytes, type Case, entryList, integerProduct, mapped, moved, product, tileList, windows } from './case.ts';
import type { Operands, Ref } from './image.ts';

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
  csrF32(c) {
    const common = product(c);
    const { entries, index } = entryList(c, common.strips, common.k);
    const weights = c.constant(entries);
    return { ...common, src: c.source(common.k, { value: () => c.number(c.chance(0.02)) }), weights, index };
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
