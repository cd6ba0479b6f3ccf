import { analyse, bitsPerWeight, fail, type Model, sizeOf, storedBytes, usesOf, type Weight } from '@gatefold/runtime';
import { encodingName } from '../../evaluate/index.ts';
import { matricesOf } from '../address.ts';
import type { PassContext, PassResult, SearchResult } from '../pass.ts';
import { type QuantizeOptions, quantizeWays } from '../quantize/index.ts';
import { chooseGates } from '../quantize/select.ts';
import { type Assignment, type Choice, descend, firstThatHolds, pathOf } from './choose.ts';
import { type Likeness, Probe } from './probe.ts';
import { candidatesOf, type SearchSettings } from './settings.ts';

export type { SearchSettings } from './settings.ts';

interface Coding extends Choice, Likeness {
  readonly name: string;
  readonly weight: Weight;
  readonly bytes: number;
}

/**
 * Time of a multiply-accumulate relative to float32, about as the kernels measure on either build: codes that are multiplied
 * with float32 operands are decoded in every step, what has four bits is unpacked.
 */
function relativeTime(weight: Weight): number {
  if (weight.encoding.kind === 'dense') return 1;
  if (weight.input.kind === 'f32') return 2;
  if (weight.input.kind === 'u14') return 1;
  return bitsPerWeight(weight) <= 4 ? 0.9 : 0.5;
}

/**
 * Quantizes each matrix as far as the model's outputs on calibration data allow. Every matrix is coded alone in every way
 * first, and what that does to the outputs is measured. Then the cheapest ways (file size and time count alike) that keep
 * the bound together are chosen, by these measurements, and by running the whole wherever it is decided.
 * @throws OPTION_INVALID; DATA_INVALID without calibration data; TARGET_EMPTY
 */
export function quantizeBySensitivity(
  model: Model,
  options: QuantizeOptions,
  search: SearchSettings,
  context: PassContext,
): PassResult & { readonly search: SearchResult } {
  const candidates = candidatesOf(options, search);
  if (!context.calibration) {
    fail('DATA_INVALID', 'a search needs calibration data', { hint: 'give them with --calibrate' });
  }
  const probe = new Probe(model, context.calibration(model));
  if (search.agreement !== undefined && !probe.decides) {
    fail('OPTION_INVALID', 'the outputs of the model decide nothing that could agree', {
      place: 'search.agreement',
      expected: 'classes, or values from 0 to 1',
      hint: 'bound the divergence instead',
    });
  }
  const coded = quantizeWays(model, candidates, context);
  const places = chooseGates(matricesOf(model), options).map(({ place: { node, role, weight } }) => ({
    place: `${node.name}/${role}`,
    weight,
  }));
  let runs = 0;
  const compare = (weights: Readonly<Record<string, Weight>>): Likeness => {
    context.signal?.throwIfAborted();
    runs++;
    return probe.compare({ ...model, weights: { ...model.weights, ...weights } });
  };
  const costOf = costsIn(model, search.prefer ?? 'both');
  const lists = places.map(({ place, weight: name }, p): Coding[] => {
    const before = model.weights[name]!;
    const kept = { agreement: probe.decides ? 1 : undefined, divergence: 0, changed: 0, decisions: 0 };
    const ways = distinct(coded.map((result) => result.model.weights[name]!));
    return [
      { ...described(before), ...kept, damage: 0, cost: costOf(name, before) },
      ...ways.map((weight, i): Coding => {
        context.onProgress?.(p + i / ways.length, places.length, `${place}: measuring sensitivity`);
        const likeness = compare({ [name]: weight });
        return { ...described(weight), ...likeness, damage: likeness.divergence ** 2, cost: costOf(name, weight) };
      }),
    ];
  });
  const weightsOf = (assignment: Assignment) =>
    Object.fromEntries(places.map(({ weight }, i) => [weight, lists[i]![assignment[i]!]!.weight]));
  const holds = (assignment: Assignment) => {
    const { changed, decisions, divergence } = compare(weightsOf(assignment));
    const agrees = search.agreement === undefined || atMost(changed) <= (1 - search.agreement) * decisions + 1e-9;
    return agrees && divergence <= (search.divergence ?? Number.POSITIVE_INFINITY);
  };
  // Every bound holds without any change.
  const path = [...pathOf(lists), places.map(() => 0)];
  const chosen = descend(lists, firstThatHolds(path, holds), holds);
  const weights = weightsOf(chosen);
  const { agreement, divergence } = compare(weights);
  return {
    model: { ...model, weights: { ...model.weights, ...weights } },
    changes: places.map(({ place }, i) => ({
      place,
      before: lists[i]![0]!.name,
      after: lists[i]![chosen[i]!]!.name,
    })),
    warnings: [],
    search: {
      agreement,
      divergence,
      runs,
      sensitivities: places.flatMap(({ place }, i) =>
        lists[i]!.map(({ name: coding, bytes, agreement, divergence }, k) => ({
          ...{ place, coding, bytes, agreement, divergence },
          chosen: k === chosen[i],
        })),
      ),
    },
  };
}

/**
 * How many decisions change at most, with a confidence of 95 %, in as many others as those of which `changed` did: a search
 * that tries many models finds some that are lucky on its data.
 */
function atMost(changed: number): number {
  return changed + 1.645 * Math.sqrt(changed);
}

function described(weight: Weight): { weight: Weight; name: string; bytes: number } {
  return { weight, name: encodingName(weight), bytes: storedBytes(weight) };
}

/** Lookups have no operand: their codings by operand are one. */
function distinct(weights: readonly Weight[]): Weight[] {
  return [...new Map(weights.map((weight) => [encodingName(weight), weight])).values()];
}

/** What counts less than the rest, so that it decides between equals only. */
const little = 0.02;

/** What share of the model's bytes and of its multiply-accumulates' time a weight takes, added up. */
function costsIn(model: Model, prefer: 'size' | 'speed' | 'both'): (name: string, weight: Weight) => number {
  const { nodes } = analyse(model);
  const macs = new Map<string, number>();
  for (const { node, weight } of usesOf(model)) {
    const { shape } = model.weights[weight]!;
    // A lookup costs no products.
    if (shape.length < 2 || nodes.get(node.name)?.macsPerRow === 0) continue;
    macs.set(weight, (macs.get(weight) ?? 0) + sizeOf(shape));
  }
  const sum = (values: Iterable<number>) => [...values].reduce((a, b) => a + b, 0) || 1;
  const [allMacs, allBytes] = [sum(macs.values()), sum(Object.values(model.weights).map(storedBytes))];
  return (name, weight) =>
    (prefer === 'speed' ? little : 1) * (storedBytes(weight) / allBytes) +
    (prefer === 'size' ? little : 1) * ((macs.get(name) ?? 0) / allMacs) * relativeTime(weight);
}
