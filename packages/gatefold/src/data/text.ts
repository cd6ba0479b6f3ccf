import { fail } from '@gatefold/runtime';
import { checkDataset, type Dataset } from './dataset.ts';
import { numbering } from './symbols.ts';

/**
 * A text as one sequence of symbols and the symbol that follows each.
 * @throws DATA_INVALID
 */
export function fromText(
  name: string,
  text: string,
  {
    vocabulary: given,
    unknown,
    ownVocabulary = false,
    limit = Number.POSITIVE_INFINITY,
  }: { vocabulary?: readonly string[]; unknown?: string; ownVocabulary?: boolean; limit?: number },
): Dataset {
  const vocabulary = given ?? (ownVocabulary ? [...new Set(text)].sort() : undefined);
  if (!vocabulary) {
    fail('DATA_INVALID', 'a text needs the vocabulary of its model', {
      place: name,
      hint: 'give --vocabulary FILE, a JSON list of symbols by id',
    });
  }
  const idOf = numbering({ vocabulary, ...(unknown === undefined ? {} : { unknown }) });
  const codes = new Float32Array(Math.min(limit, text.length));
  let count = 0;
  for (const symbol of text) {
    if (count === codes.length) break;
    codes[count] = idOf(symbol, `${name}[${count}]`);
    count++;
  }
  const length = count - 1;
  if (length < 1) {
    fail('DATA_INVALID', 'the text is too short', {
      place: name,
      expected: 'two characters or more',
      found: `${count}`,
    });
  }
  return checkDataset({
    name,
    task: 'language',
    count: 1,
    inputs: { x: { shape: [1, length], data: codes.subarray(0, length) } },
    targets: { shape: [1, length], data: codes.subarray(1, count) },
    classes: vocabulary,
  });
}
