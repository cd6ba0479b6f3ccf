import { fail } from '@gatefold/runtime';

interface Range {
  readonly from?: number;
  /** Exclusive lower bound. */
  readonly above?: number;
  readonly to?: number;
}

const numeral = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * Reads an option's number.
 * @throws OPTION_INVALID naming the option and its range
 */
export function numberOption(place: string, range: Range = {}, what = 'a number'): (text: string) => number {
  return (text) => {
    const value = numeral.test(text.trim()) ? Number(text) : Number.NaN;
    const { from = -Number.MAX_VALUE, above = Number.NEGATIVE_INFINITY, to = Number.MAX_VALUE } = range;
    const fits = value >= from && value > above && value <= to && (what === 'a number' || Number.isSafeInteger(value));
    if (fits) return value;
    return fail('OPTION_INVALID', `option "${place}" does not fit`, {
      place,
      expected: `${what}${showRange(range)}`,
      found: text === '' ? 'nothing' : text,
    });
  };
}

/** Reads an option's whole number, by default from 0. */
export function wholeNumber(place: string, range: Range = { from: 0 }): (text: string) => number {
  return numberOption(place, range, 'a whole number');
}

/**
 * Reads `train,valid`: two shares that are at most 1 together.
 * @throws OPTION_INVALID
 */
export function splitShares(text: string): readonly [train: number, valid: number] {
  const [train, valid, ...more] = text.split(',').map(numberOption('--split', { from: 0, to: 1 }));
  if (train === undefined || valid === undefined || more.length > 0 || train + valid > 1) {
    return fail('OPTION_INVALID', 'option "--split" does not fit', {
      place: '--split',
      expected: 'two shares that are at most 1 together, such as 0.7,0.15',
      found: text,
    });
  }
  return [train, valid];
}

function showRange({ from, above, to }: Range): string {
  if (above !== undefined) return ` above ${above}`;
  if (from !== undefined && to !== undefined) return ` from ${from} to ${to}`;
  return from === undefined ? '' : ` from ${from}`;
}
