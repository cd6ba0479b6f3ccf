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
 * other tokens by the ids that they had before the model lost some.
 * @throws DATA_INVALID where the model has no such token
 */
export function inTokensOf(model: Model, dataset: Dataset): Dataset {
  const { classes, task, inputs, targets } = dataset;
  const names = task === 'language' ? classes : undefined;
  const symbols = names ? symbolsOf(model) : firstIdsOf(model);
  if (!symbols || (names && isSame(names, symbols.vocabulary))) return dataset;
  const looked = new Set(tokenInputs(model));
  const arrays = Object.entries(inputs);
  const renumber = renumbering(dataset.name, names, symbols);
  return {
    ...dataset,
    ...(names ? { classes: symbols.vocabulary } : {}),
    inputs: Object.fromEntries(
      arrays.map(([name, array]) => [name, names || arrays.length === 1 || looked.has(name) ? renumber(array) : array]),
    ),
    ...(targets ? { targets: task === 'language' ? renumber(targets) : targets } : {}),
  };
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((symbol, id) => symbol === b[id]);
}

function renumbering(
  name: string,
  names: readonly string[] | undefined,
  symbols: Symbols,
): (examples: Examples) => Examples {
  const idOf = numbering(symbols);
  const known = new Map<number, number>();
  const find = (id: number, place: string): number => {
    const symbol = names ? names[id] : String(id);
    if (symbol === undefined) fail('DATA_INVALID', 'an id has no symbol', { place, found: String(id) });
    const own = idOf(symbol, place);
    known.set(id, own);
    return own;
  };
  return ({ data, ...rest }) => ({ ...rest, data: data.map((id, at) => known.get(id) ?? find(id, `${name}[${at}]`)) });
}
