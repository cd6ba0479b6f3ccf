import { type Model, type Node, usesOf } from '@gatefold/runtime';

/** How recurrent cells and activations stand in a file. */
export interface Form {
  /** Width of activations as integers; undefined where they stay float32. */
  readonly bits: 8 | 16 | undefined;
  /** States are inputs and outputs (true), start at zero in every call (false), or stand in variables where an operator has such. */
  readonly explicitStates: boolean | undefined;
}

/**
 * Whether a recurrent node is an operator of its own, which keeps states in variables: LSTM as float32 and with 8-bit activations,
 * simple layers as float32. Others stand step by step.
 */
export function isFused({ attributes }: Node, { bits, explicitStates }: Form): boolean {
  if (explicitStates !== undefined) return false;
  return attributes.cell === 'lstm' ? bits !== 16 : attributes.cell === 'rnn' && bits === undefined;
}

/** What a file makes of the operands of a model's products. */
interface Activations {
  readonly bits: Form['bits'];
  /** What a person who asked for integers should know of the file. */
  readonly notes: readonly string[];
}

/** Activations become integers where data tell their ranges and all products are coded with integer operands. */
export function activationsOf(model: Model, calibrated: boolean): Activations {
  const products = usesOf(model).filter(
    ({ role, weight }) => model.weights[weight]!.shape.length > 1 && role !== 'table',
  );
  const operands = products.map(({ weight }) => {
    const { encoding, input } = model.weights[weight]!;
    return { weight, kind: encoding.kind === 'dense' ? 'none' : input.kind };
  });
  const isCoded = Object.values(model.weights).some(({ encoding }) => encoding.kind !== 'dense');
  if (!isCoded) return { bits: undefined, notes: [] };
  const dynamic = 'dynamic range: weights are 8-bit codes, activations stay float32';
  if (!calibrated)
    return { bits: undefined, notes: [`${dynamic}; with data (--data, --calibrate) they become integers too`] };
  const float = operands.find(({ kind }) => kind === 'none' || kind === 'f32');
  if (float) return { bits: undefined, notes: [`${dynamic}, as the operand of ${float.weight} does`] };
  const bits = operands.some(({ kind }) => kind === 'u14') ? 16 : 8;
  const inner = bits === 8 ? ' (16 inside of cells that stand step by step)' : '';
  return {
    bits,
    notes: [
      `full integer: activations of ${bits} bits${inner}. What is measured here are the weights; rounding between layers comes on top`,
    ],
  };
}
