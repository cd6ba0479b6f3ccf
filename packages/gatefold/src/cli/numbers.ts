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

function showRange({ from, above, to }: Range): string {
  if (above !== undefined) return ` above ${above}`;
  if (from !== undefined && to !== undefined) return ` from ${from} to ${to}`;
  return from === undefined ? '' : ` from ${from}`;
}
