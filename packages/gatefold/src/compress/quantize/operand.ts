import {
  cellOf,
  type Encoding,
  isUnitBounded,
  type Model,
  type Node,
  OpContext,
  type OperandCoding,
  partsOf,
  type SimpleEncoding,
} from '@gatefold/runtime';
import type { ActivationSummary } from '../activations.ts';
import type { Place } from '../address.ts';
import type { Settled } from './options.ts';

/**
 * Whether the matrix multiplies a state that stays within ±1: made by bounded functions, and not started from values
 * that somebody else chose.
 */
function isBoundedState(model: Model, node: Node, role: string): boolean {
  if (node.op !== 'recurrent' || (role !== 'U' && role !== 'R')) return false;
  if (node.inputs.h !== undefined || node.inputs.c !== undefined) return false;
  const context = new OpContext(node, model, new Map(), []);
  const { cell, options } = cellOf(context);
  const projected = role === 'U' && options.has('R');
  const gatesBounded = cell.name === 'rnn' || isUnitBounded(options.recurrentActivation);
  return !projected && gatesBounded && isUnitBounded(options.activation);
}

/** Whether integer kernels execute the encoding. */
function takesIntegers(encoding: SimpleEncoding): boolean {
  return (encoding.kind === 'affine' && encoding.bits <= 8) || (encoding.kind === 'levels' && encoding.bits <= 4);
}

/**
 * How the operand of a quantized matrix is coded: all its gates share one coding, integers only where every gate has
 * integer kernels. `seen` is what calibration saw of the operand, where it ran.
 */
export function chooseOperand(
  model: Model,
  place: Place,
  encoding: Encoding,
  gates: readonly (Settled | undefined)[],
  seen: ActivationSummary | undefined,
): OperandCoding {
  const settled = gates.filter((gate) => gate !== undefined);
  // A lookup has no operand to code.
  if (place.role === 'table' || settled.some((gate) => gate.operand === 'f32')) return { kind: 'f32' };
  if (!partsOf(encoding, 1).every((part) => takesIntegers(part.encoding))) return { kind: 'f32' };
  const operand = settled.some((gate) => gate.operand === 'u14') ? 'u14' : 'u7';
  const { operandScale } = settled[0]!;
  const middle = operand === 'u7' ? 64 : 8192;
  const reach = operand === 'u7' ? 63 : 8191;
  const top = operand === 'u7' ? 127 : 16383;
  const bounded = isBoundedState(model, place.node, place.role);
  if (bounded && operandScale !== 'dynamic') return { kind: operand, zero: middle, scale: Math.fround(1 / reach) };
  const positive = seen !== undefined && seen.low >= 0;
  const zero = positive ? 0 : middle;
  if (operandScale !== 'static' || !seen) return { kind: operand, zero, scale: 'dynamic' };
  const largest = Math.max(Math.abs(seen.low), Math.abs(seen.high));
  return { kind: operand, zero, scale: Math.fround((largest || 1) / (positive ? top : reach)) };
}
