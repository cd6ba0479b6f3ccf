import { decode, fail, type Model } from '@gatefold/runtime';
import { gradientMoments, randomFor } from '../../train/index.ts';
import { operandValue, summarizeActivations } from '../activations.ts';
import type { PassContext } from '../pass.ts';
import type { Criterion } from './options.ts';
import type { Chosen } from './select.ts';

/**
 * How much each weight matters, one array per matrix. Scores are squares, so that the mean over a block is its energy; for single
 * weights the order is that of the criterion itself.
 *
 * - magnitude w² · random · wanda w²·E[x²] (Sun et al. 2024)
 * - gradient (E|g|)² · taylor (w·E|g|)² (Molchanov et al. 2019, first order) · fisher w²·E[g²] (Theis et al. 2018)
 * @throws DATA_INVALID where the criterion needs data and there are none
 */
export function scoresOf(
  model: Model,
  chosen: readonly Chosen[],
  criterion: Criterion,
  context: PassContext,
): Float64Array[] {
  const values = chosen.map(({ place }) => decode(model.weights[place.weight]!));
  if (criterion === 'random') return values.map((w, i) => randomScores(w.length, context.seed ?? 1, i));
  if (criterion === 'wanda') return wanda(model, chosen, values, context);
  if (criterion === 'gradient' || criterion === 'taylor' || criterion === 'fisher') {
    const { training, seed = 1, onProgress, signal } = context;
    if (!training) needsData(criterion, 'data with targets', '--train');
    const { absolute, squares } = gradientMoments(model, training, {
      ...{ seed, signal },
      onProgress: (done, total) => onProgress?.(done, total, 'gradients'),
    });
    return values.map((w, i) => {
      const name = chosen[i]!.place.weight;
      const [a, s] = [absolute.get(name)!, squares.get(name)!];
      if (criterion === 'gradient') return a.map((g) => g * g);
      return criterion === 'taylor' ? a.map((g, k) => (w[k]! * g) ** 2) : s.map((g, k) => w[k]! ** 2 * g);
    });
  }
  return values.map((w) => Float64Array.from(w, (value) => value * value));
}

/** Scores that say nothing: the control. */
export function randomScores(count: number, seed: number, index: number): Float64Array {
  const random = randomFor(seed, 3, index);
  return Float64Array.from({ length: count }, () => random());
}

/** Mean squares of what a matrix is multiplied with, by column; undefined where nobody can see it. */
export function operandPower(
  model: Model,
  chosen: readonly Chosen[],
  criterion: string,
  { calibration }: PassContext,
): (Float64Array | undefined)[] {
  if (!calibration) needsData(criterion, 'calibration data', '--calibrate');
  const names = chosen.map(({ place }) => operandValue(place));
  const seen = summarizeActivations(
    model,
    names.filter((name) => name !== undefined),
    calibration(),
  );
  return names.map((name) => (name === undefined ? undefined : seen.get(name)!.power));
}

function wanda(
  model: Model,
  chosen: readonly Chosen[],
  values: readonly Float32Array[],
  context: PassContext,
): Float64Array[] {
  const powers = operandPower(model, chosen, 'wanda', context);
  return values.map((w, i) => {
    const power = powers[i];
    // A convolution's columns are taps × features.
    return Float64Array.from(
      w,
      (value, k) => value ** 2 * (power ? power[(k % chosen[i]!.columns) % power.length]! : 1),
    );
  });
}

export function needsData(criterion: string, what: string, option: string): never {
  return fail('DATA_INVALID', `criterion "${criterion}" needs ${what}`, {
    place: 'criterion',
    hint: `give them with ${option}`,
  });
}
