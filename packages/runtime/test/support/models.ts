import {
  type AffineEncoding,
  type AttributeValue,
  type CellOptions,
  cells,
  decode,
  denseWeight,
  type Graph,
  type LevelsEncoding,
  type Model,
  type Node,
  type OperandCoding,
  roundTo,
  sizeOf,
  type Weight,
} from '@gatefold/runtime';
import { randomSource, randomValues } from './random.ts';
import { type Pruning, prune } from './sparse.ts';

/** Ways a test weight may be coded: any encoding with any operand it allows. */
export const codings: Readonly<Record<string, (w: Weight, random: () => number, rowsPerGate: number) => Weight>> = {
  f32: (w) => w,
  f16: (w) => ({ ...w, encoding: { kind: 'dense', type: 'f16', values: roundTo('f16', decode(w).slice()) } }),
  int8: (w, random) => affine(w, random, 8, { kind: 'u7', zero: 64, scale: 'dynamic' }),
  int8Static: (w, random) => affine(w, random, 8, { kind: 'u7', zero: 64, scale: 1 / 63 }),
  int8Offset: (w, random) => affine(w, random, 8, { kind: 'u7', zero: 64, scale: 'dynamic' }, true),
  int8Wide: (w, random) => affine(w, random, 8, { kind: 'u14', zero: 8192, scale: 'dynamic' }),
  int8Float: (w, random) => affine(w, random, 8, { kind: 'f32' }, true),
  int4: (w, random) => affine(w, random, 4, { kind: 'u7', zero: 64, scale: 'dynamic' }),
  int3Offset: (w, random) => affine(w, random, 3, { kind: 'u14', zero: 8192, scale: 'dynamic' }, true),
  int1: (w, random) => affine(w, random, 1, { kind: 'u7', zero: 64, scale: 'dynamic' }, true),
  int12: (w, random) => affine(w, random, 12, { kind: 'f32' }, true),
  int12Symmetric: (w, random) => affine(w, random, 12, { kind: 'f32' }),
  log4: (w, random, rows) => levels(w, random, 4, { kind: 'u7', zero: 64, scale: 'dynamic' }, rows),
  codebook2Float: (w, random, rows) => levels(w, random, 2, { kind: 'f32' }, rows),
  codebook6: (w, random, rows) => levels(w, random, 6, { kind: 'f32' }, rows),
  mixed: (w, random, rows) => mixed(w, random, rows),
  sparseF32: pruned('f32', { block: [8, 4], density: 0.4 }),
  sparseF16: pruned('f16', { block: [3, 5], density: 0.2 }),
  scatteredF32: pruned('f32', { block: [1, 1], density: 0.05 }),
  silentF32: pruned('f32', { block: [8, 4], density: 0.3, silent: true }),
  emptyF32: pruned('f32', { block: [1, 1], density: 0 }),
  sparseInt8: pruned('int8', { block: [8, 4], density: 0.4 }),
  scatteredInt8: pruned('int8', { block: [1, 1], density: 0.05 }),
  silentInt8Offset: pruned('int8Offset', { block: [8, 4], density: 0.3, silent: true }),
  emptyInt8: pruned('int8', { block: [8, 4], density: 0 }),
  sparseInt8Wide: pruned('int8Wide', { block: [8, 4], density: 0.4 }),
  sparseInt4: pruned('int4', { block: [4, 4], density: 0.3 }),
  sparseInt12: pruned('int12Symmetric', { block: [2, 4], density: 0.5 }),
  sparseLog4: pruned('log4', { block: [8, 4], density: 0.3 }),
  sparseCodebook6: pruned('codebook6', { block: [16, 3], density: 0.4 }),
  sparseMixed: pruned('mixed', { block: [8, 4], density: 0.4 }),
  sparseDiagonalF32: pruned('f32', { block: [8, 4], density: 0.2, diagonal: true }),
  sparseDiagonalInt8: pruned('int8', { block: [8, 4], density: 0.2, diagonal: true }),
  sparseDiagonalInt4: pruned('int4', { block: [8, 4], density: 0.2, diagonal: true }),
  sparseDiagonalLog4: pruned('log4', { block: [8, 4], density: 0.2, diagonal: true }),
  sparseDiagonalCodebook6: pruned('codebook6', { block: [8, 4], density: 0.2, diagonal: true }),
  sparseDiagonalMixed: pruned('mixed', { block: [8, 4], density: 0.2, diagonal: true }),
  wholeInt8: pruned('int8', { block: [8, 4], density: 1 }),
};

function pruned(coding: string, pruning: Pruning): (w: Weight, random: () => number, rowsPerGate: number) => Weight {
  return (w, random, rows) => prune(codings[coding]!(w, random, rows), random, rows, pruning);
}

function affine(w: Weight, random: () => number, bits: number, input: OperandCoding, offset = false): Weight {
  const rows = w.shape[0]!;
  const half = 2 ** (bits - 1);
  const count = sizeOf(w.shape);
  const codes = bits <= 8 ? new Int8Array(count) : new Int16Array(count);
  for (let i = 0; i < count; i++) codes[i] = Math.floor(random() * 2 * half) - half;
  const scales = Float32Array.from({ length: rows }, () => (0.2 + random()) / (half * 4));
  const encoding: AffineEncoding = { kind: 'affine', bits, codes, scaleType: 'f32', rowsPerGroup: 1, scales };
  return {
    shape: w.shape,
    input,
    encoding: offset ? { ...encoding, offsets: randomValues(random, rows, 0.05) } : encoding,
  };
}

function levels(w: Weight, random: () => number, bits: number, input: OperandCoding, rowsPerGate: number): Weight {
  const rows = w.shape[0]!;
  const tables = Math.ceil(rows / rowsPerGate);
  const encoding: LevelsEncoding = {
    kind: 'levels',
    scheme: 'codebook',
    bits,
    codes: Uint8Array.from({ length: sizeOf(w.shape) }, () => Math.floor(random() * 2 ** bits)),
    scaleType: 'f32',
    rowsPerGroup: 1,
    scales: Float32Array.from({ length: rows }, () => (0.2 + random()) / 400),
    rowsPerTable: rowsPerGate,
    levels: Float32Array.from({ length: tables << bits }, () => Math.round((random() * 2 - 1) * 127)),
  };
  return { shape: w.shape, input, encoding };
}

/** The first gate in 8 bits, the rest in 4. */
function mixed(w: Weight, random: () => number, rowsPerGate: number): Weight {
  const rows = w.shape[0]!;
  const input: OperandCoding = { kind: 'u7', zero: 64, scale: 'dynamic' };
  if (rows === rowsPerGate) return affine(w, random, 8, input);
  const part = (n: number, bits: number) => {
    const made = affine({ ...w, shape: [n, ...w.shape.slice(1)] }, random, bits, input);
    return { rows: n, encoding: made.encoding as AffineEncoding };
  };
  return {
    shape: w.shape,
    input,
    encoding: { kind: 'concat', parts: [part(rowsPerGate, 8), part(rows - rowsPerGate, 4)] },
  };
}

export interface CellChoice {
  readonly cell: string;
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  /** Optional roles to include; `b` is included by default. */
  readonly roles?: readonly string[];
  readonly projection?: number;
}

/** Cells in every option, each under a name. */
export const cellChoices: Readonly<Record<string, CellChoice>> = {
  rnn: { cell: 'rnn' },
  rnnRelu: { cell: 'rnn', attributes: { activation: ['relu'] }, roles: [] },
  lstm: { cell: 'lstm' },
  lstmNoBias: { cell: 'lstm', roles: [] },
  lstmHard: { cell: 'lstm', attributes: { recurrentActivation: ['hardSigmoid', 0.2, 0.5] } },
  lstmPeephole: { cell: 'lstm', roles: ['b', 'P'] },
  lstmProjected: { cell: 'lstm', roles: ['b', 'R'], projection: 6 },
  lstmCoupled: { cell: 'lstm', attributes: { coupled: true } },
  lstmClipped: { cell: 'lstm', attributes: { clip: 0.2 } },
  lstmInputClipped: { cell: 'lstm', attributes: { inputClip: 0.2, clip: 0.3 } },
  lstmStateClipped: { cell: 'lstm', attributes: { cellClip: 0.25 } },
  gruClipped: { cell: 'gru', attributes: { resetAfter: true, clip: 0.2 }, roles: ['b', 'bR'] },
  gruAfter: { cell: 'gru', attributes: { resetAfter: true }, roles: ['b', 'bR'] },
  gruBefore: { cell: 'gru', attributes: { resetAfter: false } },
};

/** A recurrent node with random weights, added to `weights`. */
export function recurrentNode(
  random: () => number,
  weights: Record<string, Weight>,
  name: string,
  { cell, attributes = {}, roles = ['b'], projection }: CellChoice,
  features: number,
  units: number,
  coding: keyof typeof codings = 'f32',
): Node {
  const outputWidth = projection ?? units;
  const options = {
    units,
    outputWidth,
    activation: ['tanh'],
    recurrentActivation: ['sigmoid'],
    resetAfter: attributes.resetAfter === true,
    coupled: attributes.coupled === true,
    has: (role: string) => roles.includes(role),
  } as CellOptions;
  const named: Record<string, string> = {};
  for (const weight of cells.get(cell)!.weights(options)) {
    if (weight.optional && !roles.includes(weight.role)) continue;
    const perGate = { units, output: outputWidth, one: 1 }[weight.rows];
    const rows = perGate * (weight.gates?.length ?? 1);
    const shape = weight.columns ? [rows, { features, units, output: outputWidth }[weight.columns]] : [rows];
    const plain = denseWeight(shape, randomValues(random, sizeOf(shape), 0.6));
    weights[`${name}/${weight.role}`] = weight.columns ? codings[coding]!(plain, random, perGate) : plain;
    named[weight.role] = `${name}/${weight.role}`;
  }
  return {
    name,
    op: 'recurrent',
    inputs: { x: 'x' },
    outputs: { y: `${name}.y` },
    attributes: { cell, units, ...attributes },
    weights: named,
  };
}

/** x [batch, time, features] → one recurrent layer → dense → y. */
export function smallModel(
  seed: number,
  choice: CellChoice,
  { features = 5, units = 9, outputs = 3, coding = 'f32' as keyof typeof codings } = {},
): Model {
  const random = randomSource(seed);
  const weights: Record<string, Weight> = {};
  const node = recurrentNode(random, weights, 'cell', choice, features, units, coding);
  const width = choice.projection ?? units;
  weights.kernel = codings[coding]!(
    denseWeight([outputs, width], randomValues(random, outputs * width)),
    random,
    outputs,
  );
  weights.bias = denseWeight([outputs], randomValues(random, outputs));
  return modelOf('small', weights, {
    inputs: [{ name: 'x', shape: ['batch', 'time', features], dtype: 'float32' }],
    outputs: [{ name: 'y', value: 'y' }],
    nodes: [
      node,
      {
        name: 'dense',
        op: 'dense',
        inputs: { x: 'cell.y' },
        outputs: { y: 'y' },
        attributes: {},
        weights: { kernel: 'kernel', bias: 'bias' },
      },
    ],
    states: [],
  });
}

export function modelOf(name: string, weights: Record<string, Weight>, graph: Graph): Model {
  return { name, graphs: { main: graph }, weights, metadata: {} };
}
