import { fail } from '@gatefold/runtime';
import { type Dataset, reordered, sliceDataset, sliceSteps } from '../data/index.ts';
import { randomFor, shuffled } from './random.ts';

/**
 * Parts data into what is learnt from and what judges it. Of classified or transcribed examples a random share is held out (the same for a
 * seed), of everything that has an order its end.
 * @throws DATA_INVALID where too little is left
 */
export function holdOut(dataset: Dataset, share: number, seed: number): { train: Dataset; valid: Dataset } {
  const steps = dataset.inputs[Object.keys(dataset.inputs)[0]!]!.shape[1] ?? 1;
  const whole = dataset.count === 1 ? steps : dataset.count;
  const kept = whole - Math.round(whole * share);
  if (kept < 1 || kept === whole) {
    fail('DATA_INVALID', 'the data are too few to hold a part out', {
      place: dataset.name,
      found: `${whole} ${dataset.count === 1 ? 'steps' : 'examples'}`,
      hint: 'give validation data of their own',
    });
  }
  const ordered =
    dataset.task === 'classify' || dataset.task === 'transcribe'
      ? reordered(dataset, shuffled(dataset.count, randomFor(seed, 4)))
      : dataset;
  const cut = (from: number, to: number) =>
    dataset.count === 1 ? sliceSteps(ordered, from, to) : sliceDataset(ordered, from, to);
  const [train, valid] = [cut(0, kept), cut(kept, whole)];
  if (!train || !valid) {
    fail('DATA_INVALID', 'one example of several lengths cannot be parted', {
      place: dataset.name,
      hint: 'give validation data of their own',
    });
  }
  return { train, valid };
}
