import type { Constant } from '../graph/tensor.ts';
import type { Lookup, Node } from './lookup.ts';

/** An LSTM's step taken apart into products, a split and element-wise functions. */
export interface LstmStep {
  readonly x: string;
  readonly h: string;
  readonly c: string;
  /** What it makes: the tensors of the new h and c. */
  readonly newH: string;
  readonly newC: string;
  readonly kernel: string;
  readonly recurrent: string;
  readonly bias: string | undefined;
  /** Where the gates i, o, f, c stand among the parts of the split. */
  readonly order: readonly number[];
}

/** The terms of a sum, its Adds taken apart. */
function terms(lookup: Lookup, name: string, depth = 0): string[] {
  const node = depth < 8 ? lookup.maker(name, 'Add') : undefined;
  return node ? node.input.flatMap((input) => terms(lookup, input, depth + 1)) : [name];
}

/** i⊙g of c' = f⊙c + i⊙g. */
function gated(lookup: Lookup, name: string): { gate: string; other: string }[] {
  return lookup.pairs(name, 'Mul').flatMap(([a, other]) => {
    const gate = lookup.maker(a, 'Sigmoid')?.input[0];
    return gate ? [{ gate, other }] : [];
  });
}

/**
 * The LSTM step that ends in this node, h' = σ(o)⊙tanh(c'); undefined where it is none. Both operands of the products may
 * have the same width: the state is what is cut out of the same input of the graph as c.
 */
export function lstmStepAt(lookup: Lookup, node: Node): LstmStep | undefined {
  const newH = node.output[0] ?? '';
  for (const { gate: o, other } of gated(lookup, newH)) {
    const newC = lookup.maker(other, 'Tanh')?.input[0];
    for (const [first, second] of lookup.pairs(newC, 'Add')) {
      for (const { gate: f, other: c } of gated(lookup, first)) {
        for (const { gate: i, other: candidate } of gated(lookup, second)) {
          const g = lookup.maker(candidate, 'Tanh')?.input[0];
          if (g === undefined || newC === undefined) continue;
          const split = lookup.maker(i, 'Split');
          const order = [i, o, f, g].map((part) => split?.output.indexOf(part) ?? -1);
          if (split?.output.length !== 4 || new Set(order).size !== 4 || order.includes(-1)) continue;
          const product = products(lookup, split.input[0] ?? '', c);
          if (product) return { ...product, c, newH, newC, order };
        }
      }
    }
  }
  return undefined;
}

type Products = Pick<LstmStep, 'x' | 'h' | 'kernel' | 'recurrent' | 'bias'>;

function products(lookup: Lookup, sum: string, c: string): Products | undefined {
  const parts = terms(lookup, sum);
  const matrices = parts.flatMap((part) => {
    const [operand, matrix] = lookup.maker(part, 'MatMul')?.input ?? [];
    return operand && matrix && lookup.constants.has(matrix) ? [{ operand, matrix }] : [];
  });
  const biases = parts.filter((part) => lookup.constants.has(part));
  if (matrices.length !== 2 || biases.length > 1 || parts.length !== 2 + biases.length) return undefined;
  const source = lookup.source(c);
  const states = matrices.filter(({ operand }) => source !== undefined && lookup.source(operand) === source);
  if (states.length !== 1) return undefined;
  const [state] = states;
  const input = matrices.find((other) => other !== state)!;
  return { x: input.operand, h: state!.operand, kernel: input.matrix, recurrent: state!.matrix, bias: biases[0] };
}

/** [features, 4·units] with gates in the file's order as ONNX' [1, 4·units, features]; undefined where it does not fit. */
export function gateMatrix({ shape, data }: Constant, order: readonly number[]): Constant | undefined {
  const [features = 0, columns = 0] = shape;
  if (shape.length !== 2 || columns % 4 !== 0 || !(data instanceof Float32Array)) return undefined;
  const units = columns / 4;
  const out = new Float32Array(data.length);
  for (let row = 0; row < columns; row++) {
    const from = order[Math.floor(row / units)]! * units + (row % units);
    for (let k = 0; k < features; k++) out[row * features + k] = data[k * columns + from]!;
  }
  return { kind: 'constant', type: 'float', shape: [1, columns, features], data: out };
}
