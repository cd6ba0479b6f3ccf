import { fail, graphOf, type Model, type Node } from '@gatefold/runtime';
import { z } from 'zod';
import { firstIdsOf, fitToModel, type Symbols, symbolsOf, tokenInputs } from '../../data/index.ts';
import type { PassContext, PassResult } from '../pass.ts';
import { refuse } from './options.ts';
import { needsData } from './scores.ts';
import { mapUnits, type UnitMap } from './units/analyse.ts';
import { removeChannels } from './units/remove.ts';

/** Options of the pass that makes a vocabulary smaller, as recipes and the command line give them. */
export const pruneTokensSchema = z.strictObject({
  /** Tokens to keep: those that the data hold most often. */
  tokens: z.int().min(1),
  /** The symbol that stays in any case, and stands for those that go. */
  unknown: z.string().optional(),
});

export type PruneTokensOptions = z.input<typeof pruneTokensSchema>;

/** Where a vocabulary is: rows of tables that are looked up by input ids, and outputs that judge every token. */
interface Vocabulary {
  readonly size: number;
  /** Inputs of ids. */
  readonly inputs: ReadonlySet<string>;
  /** Tokens that masks look for (padding): they stay. */
  readonly masked: readonly number[];
  /** What shrinks, with the channel of each token. */
  readonly places: readonly { readonly place: string; readonly channels: readonly number[] }[];
}

/**
 * @throws TARGET_EMPTY without a lookup of input ids; MODEL_UNSUPPORTED for several vocabularies, and for arithmetic with ids;
 * MODEL_INVALID where the metadata name other tokens
 */
function vocabularyOf(model: Model, map: UnitMap): Vocabulary {
  const { name: graphName, graph } = graphOf(model);
  const inputs = new Set(tokenInputs(model));
  const readers = graph.nodes.filter((node) => Object.values(node.inputs).some((value) => inputs.has(value)));
  const lookups = readers.filter(({ op }) => op === 'embedding');
  const sizes = new Set(lookups.map(({ weights }) => model.weights[weights.table!]!.shape[0]!));
  const [size] = sizes;
  if (size === undefined) {
    fail('TARGET_EMPTY', 'the model looks no tokens up', {
      place: graphName,
      expected: 'an embedding of input ids',
      hint: 'features of an input (one-hot symbols) are the input’s shape, and stay',
    });
  }
  if (sizes.size > 1) {
    fail('MODEL_UNSUPPORTED', 'the model has several vocabularies', {
      place: lookups.map(({ name }) => name).join(', '),
      found: [...sizes].join(', '),
    });
  }
  const { vocabulary } = model.metadata;
  if (Array.isArray(vocabulary) && vocabulary.length !== size) {
    fail('MODEL_INVALID', 'the vocabulary does not name the tokens of the model', {
      place: 'metadata.vocabulary',
      expected: `${size} symbols`,
      found: String(vocabulary.length),
    });
  }
  const odd = readers.find(({ op }) => op !== 'embedding' && op !== 'mask');
  if (odd) {
    fail('MODEL_UNSUPPORTED', `"${odd.name}" takes ids for numbers, so they cannot change`, { place: odd.name });
  }
  const masked = readers.filter(({ op }) => op === 'mask').map(({ attributes }) => Number(attributes.value));
  const states = new Set(graph.states.map(({ output }) => output));
  const outputs = graph.outputs
    .filter(({ name }) => !states.has(name))
    .map(({ name, value }) => ({ place: `output ${name}`, channels: map.value(graphName, value) }))
    .filter(({ channels }) => channels.length === size);
  const tables = lookups.map(({ name, weights }) => ({
    place: `${name}/table`,
    channels: [...map.axis(weights.table!, 0)!],
  }));
  return {
    ...{ size, inputs },
    masked: masked.filter((id) => Number.isInteger(id) && id >= 0 && id < size),
    places: [...tables, ...outputs],
  };
}

/** A model whose masks look for tokens by their new ids. */
function withMasks(model: Model, inputs: ReadonlySet<string>, kept: readonly number[]): Model {
  const { name, graph } = graphOf(model);
  const nodes = graph.nodes.map((node): Node => {
    const own = node.op === 'mask' && inputs.has(node.inputs.x!) ? kept.indexOf(Number(node.attributes.value)) : -1;
    return own < 0 ? node : { ...node, attributes: { ...node.attributes, value: own } };
  });
  return { ...model, graphs: { ...model.graphs, [name]: { ...graph, nodes } } };
}

/**
 * The model over a smaller vocabulary: `kept[i]` is the old id of token i. Rows of the embedding go, and the outputs that
 * judged the removed tokens: what it says of the others is what it said before, given that it is one of them.
 * `metadata.vocabulary` shrinks with it; `metadata.tokens` holds the ids that tokens had at first, for whoever makes inputs.
 * @throws TARGET_EMPTY, MODEL_UNSUPPORTED, MODEL_INVALID; OPTION_INVALID for ids that are none
 */
export function removeTokens(model: Model, kept: readonly number[]): Model {
  const map = mapUnits(model);
  const known = vocabularyOf(model, map);
  const { size, masked } = known;
  const odd = kept.find((id) => !Number.isInteger(id) || id < 0 || id >= size);
  if (odd !== undefined || kept.length === 0) refuse('tokens', `ids from 0 … ${size - 1}`, String(odd));
  if (!kept.every((id, i) => i === 0 || id > kept[i - 1]!))
    refuse('tokens', 'ids in order, each once', kept.join(', '));
  const lost = masked.find((id) => !kept.includes(id));
  if (lost !== undefined) refuse('tokens', `${lost} among them, which a mask looks for`, kept.join(', '));
  return shrink(model, map, known, kept);
}

function shrink(model: Model, map: UnitMap, { inputs, places }: Vocabulary, kept: readonly number[]): Model {
  const stays = new Set(kept);
  const gone = new Set(places.flatMap(({ channels }) => channels.filter((_, id) => !stays.has(id))));
  const small = withMasks(removeChannels(model, map, gone), inputs, kept);
  const { vocabulary, tokens } = model.metadata;
  const picked = (list: readonly unknown[]): unknown[] => kept.map((id) => list[id]);
  return {
    ...small,
    metadata: {
      ...model.metadata,
      tokens: Array.isArray(tokens) ? picked(tokens) : [...kept],
      ...(Array.isArray(vocabulary) ? { vocabulary: picked(vocabulary) } : {}),
    },
  };
}

/** How often the data hold each token. */
function countTokens(model: Model, { size, inputs }: Vocabulary, { training }: PassContext): Float64Array {
  if (!training) needsData('tokens', 'data that tell which ones matter', '--train');
  const data = fitToModel(training, model);
  const counts = new Float64Array(size);
  for (const name of inputs) {
    for (const id of data.inputs[name]!.data) {
      if (!(Number.isInteger(id) && id >= 0 && id < size)) {
        fail('INPUT_VALUE', 'an id is not in the vocabulary', {
          place: `${training.name}.${name}`,
          expected: `0 … ${size - 1}`,
          found: String(id),
        });
      }
      counts[id]! += 1;
    }
  }
  return counts;
}

/**
 * Keeps the tokens that the data hold most often; of equally frequent ones those with lower ids.
 * @throws OPTION_INVALID, DATA_INVALID, TARGET_EMPTY, MODEL_UNSUPPORTED, MODEL_INVALID
 */
export function pruneTokens(model: Model, options: PruneTokensOptions, context: PassContext = {}): PassResult {
  const { tokens, unknown = namesOf(model)?.unknown } = options;
  const map = mapUnits(model);
  const known = vocabularyOf(model, map);
  const { size, masked, places } = known;
  if (!Number.isInteger(tokens) || tokens < 1 || tokens >= size) {
    refuse('tokens', `a whole number below the ${size} tokens of the model`, String(tokens));
  }
  const counts = countTokens(model, known, context);
  const other = unknown === undefined ? undefined : idOf(model, size, unknown);
  const held = new Set(other === undefined ? masked : [...masked, other]);
  const rank = (id: number) => (held.has(id) ? Number.POSITIVE_INFINITY : counts[id]!);
  const ranked = Array.from(counts, (_, id) => id).sort((a, b) => rank(b) - rank(a) || a - b);
  const kept = ranked.slice(0, tokens).sort((a, b) => a - b);
  const small = shrink(model, map, known, kept);
  const lost = ranked.slice(tokens).filter((id) => counts[id]! > 0);
  const sum = (ids: readonly number[]) => ids.reduce((total, id) => total + counts[id]!, 0);
  const percent = ((100 * sum(lost)) / sum(ranked)).toFixed(2);
  return {
    model: unknown === undefined ? small : { ...small, metadata: { ...small.metadata, unknown } },
    changes: places.map(({ place }) => ({ place, before: `${size} tokens`, after: `${tokens} tokens` })),
    warnings:
      lost.length === 0 ? [] : [`${percent} % of the training data are tokens that went (${lost.length} kinds)`],
  };
}

/** What tokens are called: symbols, or the ids that they had at first; undefined where both are their ids. */
const namesOf = (model: Model): Symbols | undefined => symbolsOf(model) ?? firstIdsOf(model);

/**
 * The id of a symbol, or, of models that know no symbols, of an id in figures.
 * @throws OPTION_INVALID
 */
function idOf(model: Model, size: number, symbol: string): number {
  const { vocabulary } = namesOf(model) ?? { vocabulary: Array.from({ length: size }, (_, id) => String(id)) };
  const id = vocabulary.indexOf(symbol);
  return id >= 0 ? id : refuse('unknown', 'a token of the vocabulary', JSON.stringify(symbol));
}
