import { decode, fail, type Model } from '@gatefold/runtime';
import { gradientMoments, randomFor } from '../../train/index.ts';
import { operandValue, summarizeActivations } from '../activations.ts';
import type { PassContext } from '../pass.ts';
import { type Criterion, dataNeeded, kindOf } from './criteria.ts';
import type { Chosen } from './select.ts';

/** What is known of a weight by its place in the matrix (row-major), 1 where nothing is. */
type Statistic = (index: number) => number;

/**
 * How much each weight matters, one array per matrix.
 * @throws DATA_INVALID where the criterion needs data and there are none
 */
export function scoresOf(
  model: Model,
  chosen: readonly Chosen[],
  criterion: Criterion,
  context: PassContext,
): Float64Array[] {
  const statistics = statisticsOf(model, chosen, criterion, context);
  return chosen.map(({ place }, i) => {
    const values = decode(model.weights[place.weight]!);
    return scored(values, criterion, statistics[i]!, { seed: context.seed ?? 1, index: i });
  });
}

/** The scores of one matrix, the `index`th of those that are pruned. */
export function scored(
  values: ArrayLike<number>,
  criterion: Criterion,
  statistic: Statistic,
  { seed, index }: { readonly seed: number; readonly index: number },
): Float64Array {
  const { score } = kindOf(criterion);
  if (score) return Float64Array.from(values, (w, k) => score(w, statistic(k)));
  const random = randomFor(seed, 3, index);
  return Float64Array.from({ length: values.length }, () => random());
}

/** What data say of every weight of the matrices. @throws DATA_INVALID without them */
export function statisticsOf(
  model: Model,
  chosen: readonly Chosen[],
  criterion: Criterion,
  context: PassContext,
): Statistic[] {
  const need = dataNeeded(criterion);
  if (need === 'training') {
    const { training, seed = 1, onProgress, signal } = context;
    if (!training) needsData(`criterion ${criterion}`, 'data with targets', '--train');
    const { absolute, squares } = gradientMoments(model, training, {
      ...{ seed, signal },
      onProgress: (done, total) => onProgress?.(done, total, 'gradients'),
    });
    const moments = kindOf(criterion).statistic === 'E|g|' ? absolute : squares;
    return chosen.map(({ place }) => {
      const own = moments.get(place.weight)!;
      return (k) => own[k]!;
    });
  }
  if (need !== 'calibration') return chosen.map(() => () => 1);
  if (!context.calibration) needsData(`criterion ${criterion}`, 'calibration data', '--calibrate');
  const names = chosen.map(({ place }) => operandValue(place));
  const seen = summarizeActivations(
    model,
    names.filter((name) => name !== undefined),
    context.calibration(model),
  );
  return chosen.map(({ columns }, i) => {
    const power = names[i] === undefined ? undefined : seen.get(names[i])!.power;
    // A convolution's columns are taps × features.
    return (k) => (power ? power[(k % columns) % power.length]! : 1);
  });
}

export function needsData(who: string, what: string, option: string): never {
  return fail('DATA_INVALID', `${who} needs ${what}`, { place: who, hint: `give them with ${option}` });
}
