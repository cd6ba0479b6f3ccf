import { decode, denseWeight, type Model, type Weight } from '@gatefold/runtime';
import type { ActivationSummary } from '../activations.ts';
import type { Place } from '../address.ts';

/** The bias that a matrix's constant error can be added to; undefined where the error is gated before it is added. */
function biasRole({ node, role }: Place): string | undefined {
  if (role === 'kernel') return 'bias';
  if (role === 'W') return 'b';
  if (role !== 'U') return undefined;
  if (node.attributes.cell !== 'gru') return 'b';
  return node.attributes.resetAfter === true ? 'bR' : undefined;
}

/**
 * Adds (W − decoded)·mean(x) to the bias, so that the outputs keep their mean on the calibration data (Nagel et al. 2019,
 * "Data-free quantization through weight equalization and bias correction", §4.2). Weights of shared layers are left alone.
 */
export function correctBias(
  model: Model,
  place: Place,
  original: Weight,
  coded: Weight,
  { mean }: ActivationSummary,
): { name: string; bias: Weight } | undefined {
  const role = biasRole(place);
  const name = role && place.node.weights[role];
  if (!name) return undefined;
  const before = decode(original);
  const after = decode(coded);
  const rows = original.shape[0]!;
  const columns = before.length / rows;
  const bias = decode(model.weights[name]!).slice();
  for (let row = 0; row < rows; row++) {
    let shift = 0;
    for (let k = 0; k < columns; k++) {
      shift += (before[row * columns + k]! - after[row * columns + k]!) * mean[k % mean.length]!;
    }
    bias[row] = bias[row]! + shift;
  }
  return { name, bias: denseWeight([rows], bias) };
}
