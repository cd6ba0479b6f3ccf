import { fail } from '@gatefold/runtime';
import { checkDataset, type Dataset } from './dataset.ts';

/**
 * A text as one sequence of symbols and the symbol that follows each.
 * @throws DATA_INVALID
 */
export function fromText(
  name: string,
  text: string,
  {
    vocabulary: given,
    ownVocabulary = false,
    limit = Number.POSITIVE_INFINITY,
  }: { vocabulary?: readonly string[]; ownVocabulary?: boolean; limit?: number },
): Dataset {
  const vocabulary = given ?? (ownVocabulary ? [...new Set(text)].sort() : undefined);
  if (!vocabulary) {
    fail('DATA_INVALID', 'a text needs the vocabulary of its model', {
      place: name,
      hint: 'give --vocabulary FILE, a JSON list of symbols by id',
    });
  }
  const ids = new Map(vocabulary.map((symbol, id) => [symbol, id]));
  const codes = new Float32Array(Math.min(limit, text.length));
  let count = 0;
  for (const symbol of text) {
    if (count === codes.length) break;
    codes[count] =
      ids.get(symbol) ??
      fail('DATA_INVALID', 'a character is not in the vocabulary', {
        place: `${name}[${count}]`,
        found: JSON.stringify(symbol),
      });
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
