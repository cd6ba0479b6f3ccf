import type { Node } from '@gatefold/runtime';
import { kerasGates } from '../../gates.ts';
import { activationName, functionOf, hardSlope } from './activations.ts';
import type { Emitter } from './emitter.ts';
import { layerWeight } from './linear.ts';
import type { LayerWeight, WeightValues } from './types.ts';

type CellName = keyof typeof kerasGates;

/** A cell as Keras' layer of its kind states it. */
export interface WrittenCell {
  readonly className: 'LSTM' | 'GRU' | 'SimpleRNN';
  readonly config: Readonly<Record<string, unknown>>;
  readonly weights: readonly LayerWeight[];
}

const classNames = { lstm: 'LSTM', gru: 'GRU', rnn: 'SimpleRNN' } as const;

/** Our [gates·units, inputs] as Keras' [inputs, gates·units], with rows of zeros for inputs added at the end. */
function kerasMatrix(
  { shape, data, grid }: WeightValues,
  order: readonly number[],
  units: number,
  more: number,
): WeightValues {
  const [columns, inputs] = shape as [number, number];
  const out = new Float32Array((inputs + more) * columns);
  order.forEach((to, gate) => {
    for (let u = 0; u < units; u++) {
      for (let i = 0; i < inputs; i++) out[i * columns + to * units + u] = data[(gate * units + u) * inputs + i]!;
    }
  });
  return { shape: [inputs + more, columns], data: out, grid };
}

function kerasVector(data: Float32Array, order: readonly number[], units: number): Float32Array {
  const out = new Float32Array(data.length);
  for (const [gate, to] of order.entries()) out.set(data.subarray(gate * units, (gate + 1) * units), to * units);
  return out;
}

/**
 * The cell of a recurrent node; `more` zero columns stand for inputs that it does not see.
 * @throws MODEL_UNSUPPORTED for what Keras' cells cannot do
 */
export function writtenCell(e: Emitter, node: Node, more: number, within: readonly string[]): WrittenCell {
  const { attributes } = node;
  const cell = attributes.cell as CellName;
  const units = Number(attributes.units);
  const resetAfter = attributes.resetAfter === true;
  if (!Object.hasOwn(classNames, cell)) e.refuse(node, `it has no cell "${String(attributes.cell)}"`);
  if (attributes.coupled === true) e.refuse(node, 'its input and forget gates are coupled');
  if (node.weights.P !== undefined) e.refuse(node, 'its gates look at the cell state (peepholes)');
  if (node.weights.R !== undefined) e.refuse(node, 'its state is projected');
  if (resetAfter && e.dialect === 'tfjs')
    e.refuse(node, 'its GRU has no reset gate after the product', 'train the GRU with reset_after=False');
  const gates = gateFunction(e, node, cell);
  const candidate = candidateFunction(e, node, cell);
  const order = kerasGates[cell];
  const scaled = (role: string) => {
    const weight = e.weight(node, role);
    return weight && { ...weight, data: scaleGates(weight.data, gates.factor, candidate.factor, order.length) };
  };
  const [W, U, b, bR] = [scaled('W')!, scaled('U')!, scaled('b'), scaled('bR')];
  const bias = biases(b?.data, bR?.data, order, units, resetAfter);
  return {
    className: classNames[cell],
    config: {
      units,
      activation: candidate.name,
      ...(cell === 'rnn' ? {} : { recurrent_activation: gates.name }),
      use_bias: bias !== undefined,
      ...(cell === 'lstm' ? { unit_forget_bias: true } : {}),
      ...(cell === 'gru' ? { reset_after: resetAfter } : {}),
    },
    weights: [
      ...layerWeight('kernel', kerasMatrix(W, order, units, more), within),
      ...layerWeight('recurrent_kernel', kerasMatrix(U, order, units, 0), within),
      ...layerWeight('bias', bias, within),
    ],
  };
}

function biases(
  b: Float32Array | undefined,
  bR: Float32Array | undefined,
  order: readonly number[],
  units: number,
  resetAfter: boolean,
): { shape: number[]; data: Float32Array } | undefined {
  if (!b && !bR) return undefined;
  const all = order.length * units;
  const first = kerasVector(b ?? new Float32Array(all), order, units);
  if (!resetAfter) return { shape: [all], data: first };
  const data = new Float32Array(2 * all);
  data.set(first);
  data.set(kerasVector(bR ?? new Float32Array(all), order, units), all);
  return { shape: [2, all], data };
}

/**
 * The function of the gates. Hard sigmoids differ between versions of Keras in their slope alone, which goes into the
 * gates' weights.
 */
function gateFunction(e: Emitter, node: Node, cell: CellName): { name: string; factor: number } {
  if (cell === 'rnn') return { name: '', factor: 1 };
  const gates = functionOf(node, 'recurrentActivation', ['sigmoid']);
  const name = activationName(gates, e.dialect, 'cell');
  if (name !== undefined) return { name, factor: 1 };
  const [fn, a = 0.2, b = 0.5] = gates;
  if (fn === 'hardSigmoid' && b === 0.5) return { name: 'hard_sigmoid', factor: a / hardSlope(e.dialect) };
  return e.refuse(node, `its gates do not know the function "${fn}"`);
}

/**
 * The function of the candidate. Where it is applied to nothing but a sum of products, the slope of a hard sigmoid can go
 * into the weights here as well; an LSTM applies it to its state too.
 */
function candidateFunction(e: Emitter, node: Node, cell: CellName): { name: string; factor: number } {
  const f = functionOf(node, 'activation', ['tanh']);
  const name = activationName(f, e.dialect, 'cell');
  if (name !== undefined) return { name, factor: 1 };
  const [fn, a = 0.2, b = 0.5] = f;
  if (fn === 'hardSigmoid' && b === 0.5 && cell !== 'lstm')
    return { name: 'hard_sigmoid', factor: a / hardSlope(e.dialect) };
  return e.refuse(node, `its cells do not know the function "${fn}"`);
}

/** Rows of all gates but the last by one factor, those of the last, the candidate, by another. */
function scaleGates(data: Float32Array, factor: number, last: number, gates: number): Float32Array {
  if (factor === 1 && last === 1) return data;
  const candidate = (data.length / gates) * (gates - 1);
  return data.map((value, i) => value * (i < candidate ? factor : last));
}
