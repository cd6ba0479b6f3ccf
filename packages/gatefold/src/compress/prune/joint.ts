import type { Model } from '@gatefold/runtime';
import { operandValue, watch } from '../activations.ts';
import { Gram } from '../gram.ts';
import { type Moments, prepareMoments } from '../moments.ts';
import type { CalibrationBatches } from '../pass.ts';
import { productOf } from '../product.ts';
import type { Chosen } from './select.ts';

/** Matrices whose products are added before anything else happens to them, so that the error of one can be taken up by the others. */
export interface Joint {
  readonly parts: readonly Chosen[];
  /** Second moments of all their operands side by side; the last column is 1, for the bias. Undefined where nobody can see them. */
  readonly moments: Moments | undefined;
  /** The weight that the shift of the mean goes to. */
  readonly bias: string | undefined;
  /** Whether a row multiplies these operands; what stays in another cannot take over. */
  readonly isSeen: (row: number) => boolean;
}

/** Matrices of a node whose products meet in one sum together, such as W and U of an LSTM; all others on their own. */
export function jointly(model: Model, chosen: readonly Chosen[], batches: CalibrationBatches): Joint[] {
  const products = new Map(chosen.map(({ place }) => [place, productOf(model, place)]));
  const groups = new Map<string, Chosen[]>();
  for (const matrix of chosen) {
    const { place, rows } = matrix;
    const { bias, isSeen } = products.get(place)!;
    const whole = Array.from({ length: rows }, (_, row) => row).every(isSeen);
    const key = whole && bias !== undefined ? `${place.node.name} ${bias}` : `${place.node.name}/${place.role}`;
    groups.set(key, [...(groups.get(key) ?? []), matrix]);
  }
  const joints = [...groups.values()];
  const grams = collect(model, joints, batches);
  return joints.map((parts, i) => {
    const gram = grams[i];
    const width = parts.reduce((sum, { columns }) => sum + columns, 0) + 1;
    const { place } = parts[0]!;
    const { bias, isSeen } = products.get(place)!;
    const moments = gram?.width === width ? prepareMoments(gram.sum, width, true) : undefined;
    return { parts, moments, isSeen, bias: bias === undefined ? undefined : place.node.weights[bias] };
  });
}

/** Σ z·zᵀ of every group's operand. */
function collect(
  model: Model,
  joints: readonly (readonly Chosen[])[],
  batches: CalibrationBatches,
): (Gram | undefined)[] {
  const wanted = joints.flat().map(({ place }) => operandValue(place));
  const values = wanted.filter((value) => value !== undefined);
  if (values.length === 0) return joints.map(() => undefined);
  const { session, outputs } = watch(model, values);
  const ports = new Map(outputs.map(({ name, value }) => [value, name]));
  const grams: (Gram | undefined)[] = joints.map(() => undefined);
  for (const { inputs, batch } of batches) {
    const results = session.run(inputs, { batch });
    joints.forEach((parts, i) => {
      const arrays = parts.map(({ place }) => {
        const value = operandValue(place);
        return value === undefined ? undefined : { ...results[ports.get(value)!]!, place };
      });
      if (arrays.some((array) => array === undefined)) return;
      const rows = arrays.map((array) => array!.data.length / array!.shape.at(-1)!);
      if (rows.some((count) => count !== rows[0])) return;
      const widths = arrays.map((array) => array!.shape.at(-1)!);
      const width = widths.reduce((sum, n) => sum + n, 0) + 1;
      const z = new Float32Array(rows[0]! * width);
      for (let row = 0; row < rows[0]!; row++) z[(row + 1) * width - 1] = 1;
      let at = 0;
      arrays.forEach((array, k) => {
        const { data, place } = array!;
        const steps = rows[0]! / batch;
        const shift = place.role === 'U' ? (place.node.attributes.direction === 'backward' ? 1 : -1) : 0;
        for (let row = 0; row < rows[0]!; row++) {
          const t = (row % steps) + shift;
          // Before its first step a layer has no state.
          if (t < 0 || t >= steps) continue;
          z.set(data.subarray((row + shift) * widths[k]!, (row + shift + 1) * widths[k]!), row * width + at);
        }
        at += widths[k]!;
      });
      grams[i] ??= new Gram(width);
      grams[i].add(z);
    });
    if (grams.every((gram) => gram === undefined || gram.full)) break;
  }
  return grams;
}
