import { fail } from '@gatefold/runtime';
import { type QuantizeOptions, settle } from '../quantize/options.ts';

/** What a search has to keep, and what it may choose from. One of the two bounds is needed; both may be given. */
export interface SearchSettings {
  /** Least share of decisions that stay as they were: on the calibration data, with a margin for others. */
  readonly agreement?: number;
  /** Most root-mean-square difference of the outputs, relative to the outputs' own. */
  readonly divergence?: number;
  /** What is cheap: a small file, a fast step, or (default) both alike. The other then decides between equals. */
  readonly prefer?: 'size' | 'speed' | 'both';
  /** Widths to choose from; default 4, 6, 8 and 12, or the width of the quantize options where they have one. */
  readonly bits?: readonly number[];
  /** Codings of operands to choose from; default all, or that of the quantize options. */
  readonly operands?: readonly ('u7' | 'u14' | 'f32')[];
}

/** Widths that are tried where nothing else is said. */
const usualBits = [4, 6, 8, 12] as const;
const usualOperands = ['u7', 'u14', 'f32'] as const;

/**
 * The settings to choose from, as options of the quantize pass: those that exclude each other are left out.
 * @throws OPTION_INVALID where nothing is left, or for options that a search decides itself
 */
export function candidatesOf(options: QuantizeOptions, search: SearchSettings): QuantizeOptions[] {
  for (const idle of ['mixed', 'biasCorrection', 'vectors'] as const) {
    if (options[idle] !== undefined) {
      fail('OPTION_INVALID', `option "${idle}" and a search exclude each other`, {
        place: idle,
        hint: 'quantize in two steps: first some weights by --target, then the rest by a search',
      });
    }
  }
  if (search.agreement === undefined && search.divergence === undefined) {
    fail('OPTION_INVALID', 'a search needs a bound to keep', { place: 'search', expected: 'agreement or divergence' });
  }
  const widths = search.bits ?? (options.bits === undefined ? usualBits : [options.bits]);
  const operands = search.operands ?? (options.operand === undefined ? usualOperands : [options.operand]);
  // There are calibration data: errors are handed on wherever codes leave a choice.
  const compensation = options.compensation ?? (options.rounding === 'floor' ? 'none' : 'obs');
  const coded = widths.flatMap((bits) => operands.map((operand) => ({ ...options, bits, operand, compensation })));
  const half = { ...options, scheme: 'f16', bits: 16, operand: 'f32' } as const;
  const { rounding: _, compensation: __, ...plainHalf } = half;
  const fitting = [...(options.scheme === 'f16' ? [] : coded), plainHalf].filter(isPossible);
  // Told by itself what is wrong with the only settings there are.
  if (fitting.length === 1 && options.scheme !== 'f16') settle(coded[0] ?? options);
  return fitting;
}

function isPossible(options: QuantizeOptions): boolean {
  try {
    settle(options);
    return true;
  } catch {
    return false;
  }
}
