import { decode, denseWeight, type Model, type Weight } from '@gatefold/runtime';
import type { ActivationSummary } from '../activations.ts';
import type { Place } from '../address.ts';
import { productOf } from '../product.ts';

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
  const { bias: role, isSeen } = productOf(model, place);
  const name = role && place.node.weights[role];
  if (!name) return undefined;
  const before = decode(original);
  const after = decode(coded);
  const rows = original.shape[0]!;
  const columns = before.length / rows;
  const bias = decode(model.weights[name]!).slice();
  for (let row = 0; row < rows; row++) {
    if (!isSeen(row)) continue;
    let shift = 0;
    for (let k = 0; k < columns; k++) {
      shift += (before[row * columns + k]! - after[row * columns + k]!) * mean[k % mean.length]!;
    }
    bias[row] = bias[row]! + shift;
  }
  return { name, bias: denseWeight([rows], bias) };
}
