import type { Model } from '@gatefold/runtime';
import { keepingCodes } from '../../finetune.ts';
import type { PassChange, PassContext, PassResult } from '../../pass.ts';
import { type TrainSettings, trainForPass } from '../../train-settings.ts';
import { mapUnits, type UnitMap } from './analyse.ts';
import { chooseChannels, multipleFor } from './choose.ts';
import { type Family, selectFamilies } from './families.ts';
import { groupLasso, vanished } from './lasso.ts';
import { type PruneUnitsOptions, type Settled, settle } from './options.ts';
import { removeChannels } from './remove.ts';
import { criteria } from './scores/index.ts';
import { compensateUnits } from './spectral/compensate.ts';
import { Measured } from './spectral/measured.ts';

export { type PruneUnitsOptions, pruneUnitsSchema } from './options.ts';
export { removeUnits } from './remove.ts';

/**
 * The units that each layer keeps under the options, by address, as {@link removeUnits} takes them.
 * @throws OPTION_INVALID, TARGET_EMPTY; DATA_INVALID where a criterion needs data and there are none
 */
export function chooseUnits(
  model: Model,
  options: PruneUnitsOptions,
  context: PassContext = {},
): Record<string, number[]> {
  const settled = settle(options);
  const map = mapUnits(model);
  const { families } = selectFamilies(map, settled.target);
  const gone = choose(model, map, families, settled, context, new Measured(model, map, context));
  return Object.fromEntries(
    families.flatMap(({ layers }) =>
      layers.map(({ address, channels }) => [
        address,
        channels.flatMap((channel, unit) => (gone.has(channel) ? [] : [unit])),
      ]),
    ),
  );
}

function choose(
  model: Model,
  map: UnitMap,
  families: readonly Family[],
  settled: Settled,
  context: PassContext,
  measured: Measured,
): ReadonlySet<number> {
  return chooseChannels(families, criteria[settled.criterion](model, map, families, context, measured), settled);
}

/**
 * Removes hidden units, so that the model's matrices, its file and its steps become smaller: judges them, lets those who read
 * them make up for what goes where asked, shrinks the model, and trains it on where asked.
 * @throws OPTION_INVALID, TARGET_EMPTY, DATA_INVALID, and what training throws
 */
export async function pruneUnits(
  model: Model,
  options: PruneUnitsOptions,
  context: PassContext = {},
): Promise<PassResult> {
  const settled = settle(options);
  const map = mapUnits(model);
  const { families, refused } = selectFamilies(map, settled.target);
  const warnings = refused.map(({ address, reason }) => `${address} keeps all its units: ${reason}`);
  if (settled.lasso !== undefined) {
    const small = await lassoed(model, map, families, settled.lasso, options.train!, context);
    const changes = changesOf(map, small);
    if (changes.length === 0) warnings.push('no unit vanished: raise the weight of the lasso, or train longer');
    return { model: small, changes, warnings };
  }
  const measured = new Measured(model, map, context);
  const gone = choose(model, map, families, settled, context, measured);
  const made = settled.compensate && gone.size > 0 ? compensateUnits(model, gone, measured) : { model, left: [] };
  for (const { place, reason } of made.left) warnings.push(`${place} does not make up for removed units: ${reason}`);
  // Biases that were added shrink too; channels are numbered by what makes them, as before.
  const small = removeChannels(made.model, mapUnits(made.model), gone);
  const changes = changesOf(map, small);
  warnings.push(...roundings(families, gone, settled));
  if (!options.train) return { model: small, changes, warnings };
  const { model: trained } = await trainForPass(small, options.train, context, {
    ...keepingCodes(small),
    teacher: model,
  });
  return { model: trained, changes, warnings };
}

async function lassoed(
  model: Model,
  map: UnitMap,
  families: readonly Family[],
  lambda: number,
  settings: TrainSettings,
  context: PassContext,
): Promise<Model> {
  const { model: trained } = await trainForPass(model, settings, context, {
    ...keepingCodes(model),
    companion: groupLasso(model, map, families, lambda),
    last: true,
  });
  return removeChannels(trained, map, vanished(trained, map, families));
}

/** Layers that became smaller, those that are tied to the chosen ones too. */
function changesOf(map: UnitMap, small: Model): PassChange[] {
  const after = new Map(mapUnits(small).layers.map((layer) => [layer.address, layer.channels.length]));
  return map.layers.flatMap(({ address, channels }) => {
    const left = after.get(address)!;
    if (left === channels.length) return [];
    return [{ place: address, before: `${channels.length} units`, after: `${left} units` }];
  });
}

/** What rounding, and units that must stay, made of the numbers that were asked for. */
function roundings(families: readonly Family[], gone: ReadonlySet<number>, settled: Settled): string[] {
  return families.flatMap(({ name, channels }) => {
    const total = channels.length;
    const left = channels.filter((channel) => !gone.has(channel)).length;
    const asked = settled.units < 1 ? settled.units * total : settled.units;
    if (left === total) return [`${name} keeps all its ${total} units`];
    if (settled.scope === 'global' || Math.abs(left - asked) < 1) return [];
    const multiple = multipleFor(total, settled);
    const why = left % multiple === 0 ? `rounded to a multiple of ${multiple}` : 'the others must stay';
    return [`${name} keeps ${left} of ${total} units (asked: ${Number(asked.toFixed(1))}): ${why}`];
  });
}
