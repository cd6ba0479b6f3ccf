import { fail } from '@gatefold/runtime';
import { z } from 'zod';
import type { TrainSettings } from '../../train-settings.ts';
import { type CriterionName, criteria } from './scores/index.ts';

/** Options of the pass that removes hidden units, as recipes and the command line give them. */
export const pruneUnitsSchema = z.strictObject({
  /** Below 1 the share of its units that every layer keeps; from 1 on the number of units. */
  units: z.number().positive().optional(),
  criterion: z.enum(Object.keys(criteria) as [CriterionName, ...CriterionName[]]).optional(),
  /** Every layer by itself, or all together, so that some lose more than others. */
  scope: z.enum(['layer', 'global']).optional(),
  /** Numbers of units are rounded to multiples of this; default 8 for shares of layers of 16 units or more. */
  multiple: z.union([z.literal(1), z.literal(4), z.literal(8), z.literal(16)]).optional(),
  /** Whether those who read removed units make up for them (needs data); default where the criterion is spectral. */
  compensate: z.boolean().optional(),
  /** Group lasso: trains with this weight on the norms of all units, then removes those that became zero. */
  lasso: z.number().positive().optional(),
  /** Layers by address; default every recurrent layer that can lose units. */
  target: z.array(z.string()).optional(),
});

export type PruneUnitsOptions = z.input<typeof pruneUnitsSchema> & {
  /** Fine-tuning afterwards; with `lasso` also the training itself. */
  readonly train?: TrainSettings | undefined;
};

export interface Settled {
  readonly units: number;
  readonly criterion: CriterionName;
  readonly scope: 'layer' | 'global';
  readonly multiple: number | undefined;
  readonly compensate: boolean;
  readonly lasso: number | undefined;
  readonly target: readonly string[];
}

/** @throws OPTION_INVALID for options out of range or that exclude each other */
export function settle({ train, ...options }: PruneUnitsOptions): Settled {
  const parsed = pruneUnitsSchema.safeParse(options);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const place = issue?.path.join('.') || 'units';
    fail('OPTION_INVALID', `option "${place}" does not fit`, { place, ...(issue ? { found: issue.message } : {}) });
  }
  const { units, lasso, criterion = 'magnitude', scope = 'layer', multiple, compensate, target = [] } = parsed.data;
  const refuse = (option: string, expected: string, found: unknown) =>
    fail('OPTION_INVALID', `option "${option}" does not fit`, { place: option, expected, found: String(found) });
  if (units === undefined && lasso === undefined) refuse('units', 'a share or a number of units to keep', 'nothing');
  if (units !== undefined && units > 1 && !Number.isInteger(units)) {
    refuse('units', 'a share below 1, or a whole number of units', units);
  }
  if (units === 1) refuse('units', 'a share below 1, or two units or more', units);
  if (units !== undefined && units > 1 && scope === 'global')
    refuse('units', 'a share below 1 for scope global', units);
  if (lasso !== undefined) {
    if (units !== undefined) refuse('units', 'nothing: with lasso the data decide how many units go', units);
    if (options.criterion !== undefined)
      refuse('criterion', 'nothing: with lasso norms that reach zero decide', criterion);
    if (multiple !== undefined) refuse('multiple', 'nothing: with lasso all that vanished goes', multiple);
    if (scope === 'global') refuse('scope', 'layer: with lasso every unit is judged by itself', scope);
    if (!train) refuse('train', 'training settings: lasso works during training', 'nothing');
  }
  return {
    ...{ criterion, scope, multiple, lasso, target },
    units: units ?? 1,
    compensate: compensate ?? criterion === 'spectral',
  };
}
