import { fail, graphOf, type Model } from '@gatefold/runtime';
import type { Dataset, Examples } from './dataset.ts';

/** The symbols that ids stand for, and the one that stands for all that are not among them. */
export interface Symbols {
  readonly vocabulary: readonly string[];
  readonly unknown?: string;
}

/** What a model's metadata say of its symbols; undefined for models that say nothing. */
export function symbolsOf({ metadata }: Pick<Model, 'metadata'>): Symbols | undefined {
  const { vocabulary, unknown } = metadata;
  if (!Array.isArray(vocabulary) || !vocabulary.every((symbol) => typeof symbol === 'string')) return undefined;
  return { vocabulary, ...(typeof unknown === 'string' ? { unknown } : {}) };
}

/** The model, knowing what its ids stand for where the text that it is used with says so. */
export function withSymbols(model: Model, text: Dataset | undefined): Model {
  if (model.metadata.vocabulary !== undefined || text?.task !== 'language' || !text.classes) return model;
  return { ...model, metadata: { ...model.metadata, vocabulary: text.classes } };
}

/**
 * Of a model that lost tokens, those it has, by the ids that they had: data without symbols hold what the first tokenizer
 * made, and its ids are their symbols.
 */
export function firstIdsOf(model: Pick<Model, 'metadata'>): Symbols | undefined {
  const { tokens, unknown } = model.metadata;
  if (!Array.isArray(tokens) || !tokens.every(Number.isInteger)) return undefined;
  const named = typeof unknown === 'string' ? (symbolsOf(model)?.vocabulary.indexOf(unknown) ?? -1) : -1;
  const other = named < 0 ? unknown : tokens[named];
  return { vocabulary: tokens.map(String), ...(other === undefined ? {} : { unknown: String(other) }) };
}

/** Inputs whose ids a model looks up. */
export function tokenInputs(model: Model): string[] {
  const { graph } = graphOf(model);
  const looked = new Set(graph.nodes.flatMap(({ op, inputs }) => (op === 'embedding' ? [inputs.x] : [])));
  return graph.inputs.flatMap(({ name }) => (looked.has(name) ? [name] : []));
}

/**
 * Ids by symbol.
 * @throws DATA_INVALID where a symbol is not in the vocabulary and none stands for what is not
 */
export function numbering({ vocabulary, unknown }: Symbols): (symbol: string, place: string) => number {
  const ids = new Map(vocabulary.map((symbol, id) => [symbol, id]));
  const other = unknown === undefined ? undefined : ids.get(unknown);
  return (symbol, place) =>
    ids.get(symbol) ??
    other ??
    fail('DATA_INVALID', 'a symbol is not in the vocabulary', { place, found: JSON.stringify(symbol) });
}

/**
 * The data in a model's own ids, so that models of different vocabularies can be given the same ones: a text by its symbols,
 * other tokens by the ids that they had before a model lost some. Data that are in them already stay as they are.
 * @throws DATA_INVALID where the model has no such token
 */
export function inTokensOf(model: Model, dataset: Dataset): Dataset {
  const { name, classes, tokens, task, inputs, targets } = dataset;
  const named = task === 'language' && classes !== undefined;
  const from = named ? classes : tokens;
  const to = named ? symbolsOf(model) : firstIdsOf(model);
  // Models that name no symbols take ids for what they are.
  if (isSame(from, to?.vocabulary) || (named && !to)) return dataset;
  const looked = new Set(tokenInputs(model));
  const arrays = Object.entries(inputs);
  const renumber = renumbering(name, from, to);
  const { tokens: _, ...rest } = dataset;
  return {
    ...rest,
    ...(to && (named ? { classes: to.vocabulary } : { tokens: to.vocabulary })),
    inputs: Object.fromEntries(
      arrays.map(([input, array]) => [
        input,
        named || arrays.length === 1 || looked.has(input) ? renumber(array) : array,
      ]),
    ),
    ...(targets ? { targets: task === 'language' ? renumber(targets) : targets } : {}),
  };
}

function isSame(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return a === b || (a?.length === b?.length && a!.every((symbol, id) => symbol === b![id]));
}

/** From ids in one list of symbols to ids in another; without a list ids are their own symbols. */
function renumbering(
  name: string,
  from: readonly string[] | undefined,
  to: Symbols | undefined,
): (examples: Examples) => Examples {
  const idOf = to ? numbering(to) : Number;
  const known = new Map<number, number>();
  const find = (id: number, place: string): number => {
    const symbol = from ? from[id] : String(id);
    if (symbol === undefined) fail('DATA_INVALID', 'an id has no symbol', { place, found: String(id) });
    const own = idOf(symbol, place);
    known.set(id, own);
    return own;
  };
  return ({ data, ...rest }) => ({ ...rest, data: data.map((id, at) => known.get(id) ?? find(id, `${name}[${at}]`)) });
}
