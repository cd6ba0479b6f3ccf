import { fail } from '@gatefold/runtime';
import { given } from '../compress/given.ts';
import { type Scheme, takesBits } from '../compress/quantize/options.ts';
import { checkRecipe, type RecipeStep } from '../recipe/index.ts';
import { passTraining, refuseIdle } from './pass-training.ts';
import { bitsOf } from './quantize-options.ts';

/** The command's options as a recipe step. */
export function quantizeStep(options: Record<string, unknown>): Extract<RecipeStep, { pass: 'quantize' }> {
  const { bits, scheme, rounding, granularity, clip, scales, vectors, operand, operandScale, biasCorrection, target } =
    options;
  const { search, prefer } = options;
  if (prefer !== undefined && search === undefined) {
    fail('OPTION_INVALID', 'option "--prefer" is for a search: add --search', { place: '--prefer' });
  }
  const mixed = (options.mixed as string[] | undefined)?.map((entry) => {
    const at = entry.lastIndexOf('=');
    if (at < 1) {
      fail('OPTION_INVALID', 'option "--mixed" does not fit', {
        place: '--mixed',
        expected: 'address=bits',
        found: entry,
      });
    }
    const own = bitsOf('--mixed')(entry.slice(at + 1));
    // A scheme of few bits leaves open how weights of more are coded.
    const fits = scheme === undefined || takesBits(scheme as Scheme, own);
    return { target: entry.slice(0, at), bits: own, ...(fits ? {} : { scheme: 'linear' }) };
  });
  const step = {
    pass: 'quantize',
    bits: bits ?? (scheme === undefined && !search ? 8 : undefined),
    scheme,
    rounding,
    granularity,
    clip,
    scales,
    vectors,
    operand,
    operandScale,
    biasCorrection,
    compensation: options.compensation,
    target,
    mixed,
    symmetric: options.asymmetric ? false : undefined,
    train: trainingOf(options),
    search: search && prefer !== undefined ? { ...search, prefer } : search,
  };
  const [made] = checkRecipe({ version: 1, steps: [given(step)] }, 'options').steps;
  return made as Extract<RecipeStep, { pass: 'quantize' }>;
}

/** Options of quantization-aware training alone. */
const awareOf = ({ progressive, normalize }: Record<string, unknown>) => given({ progressive, normalize });

/** @throws OPTION_INVALID for options of training without training */
function trainingOf(options: Record<string, unknown>): Record<string, unknown> | undefined {
  if (options.qat) {
    if (options.train === undefined) {
      fail('OPTION_INVALID', 'option "--qat" needs data to learn from', {
        place: '--qat',
        hint: 'give them with --train',
      });
    }
    return { ...passTraining(options), ...awareOf(options) };
  }
  const names = [...Object.keys({ ...passTraining(options), ...awareOf(options) }), 'train'];
  refuseIdle(options, names, 'training: add --qat');
  return undefined;
}
