import { fail, type Granularity } from '@gatefold/runtime';

/** Schemes whose levels stand in a table. */
export type LevelScheme = 'log' | 'pow2' | 'codebook' | 'balanced' | 'ternary' | 'binary';

export type Scheme = 'linear' | LevelScheme | 'f16';

/** How many bits a scheme takes, and how many where that is not said. */
const bitsOfScheme: Readonly<
  Record<Scheme, { readonly least: number; readonly most: number; readonly usual: number }>
> = {
  linear: { least: 1, most: 16, usual: 8 },
  log: { least: 2, most: 8, usual: 8 },
  pow2: { least: 2, most: 8, usual: 8 },
  codebook: { least: 1, most: 8, usual: 8 },
  balanced: { least: 1, most: 4, usual: 2 },
  ternary: { least: 2, most: 2, usual: 2 },
  binary: { least: 1, most: 1, usual: 1 },
  f16: { least: 16, most: 16, usual: 16 },
};

export const schemes = Object.keys(bitsOfScheme) as Scheme[];

/** Whether there are codes of so many bits in the scheme. */
export const takesBits = (scheme: Scheme, bits: number) =>
  bits >= bitsOfScheme[scheme].least && bits <= bitsOfScheme[scheme].most;

/** Schemes that place their levels by the formula of the textbook too. */
const floored: readonly Scheme[] = ['linear', 'log'];

export const isLevelScheme = (scheme: Scheme): scheme is LevelScheme => scheme !== 'linear' && scheme !== 'f16';

/** What the quantize pass can be told. Everything but `bits` has a default that depends on the rest. */
export interface QuantizeOptions {
  /** Bits per weight, 1 … 16 (levels: 1 … 8); 16 with scheme f16. */
  readonly bits?: number;
  readonly scheme?: Scheme;
  /** `floor` is the textbook formula, `nearest` (default) the practical one. */
  readonly rounding?: 'nearest' | 'floor';
  /** Linear, nearest: codes around zero (default, from 2 bits on) or from the smallest to the largest value. */
  readonly symmetric?: boolean;
  /** What shares a scale; default row (floor: gate). */
  readonly granularity?: Granularity;
  /** Linear: ranges by extremes or by least squared error; default mse below 8 bits. */
  readonly clip?: 'max' | 'mse';
  /** Type of stored scales; default f16 where every scale is a normal float16, else f32. */
  readonly scales?: 'f32' | 'f16';
  /** Type of stored vectors (biases); default f32. */
  readonly vectors?: 'f32' | 'f16';
  /** How operands are coded; default u7 where integer kernels exist (linear ≤ 8, levels ≤ 4 bits), else f32. */
  readonly operand?: 'u7' | 'u14' | 'f32';
  /** Scales of operands; auto: 1/63 for bounded states, dynamic for the rest; static needs calibration data. */
  readonly operandScale?: 'auto' | 'dynamic' | 'static';
  /** Adds what the coded weights lose on average inputs back to the bias; needs calibration data. */
  readonly biasCorrection?: boolean;
  /**
   * Hands the error of each coded weight on to those still to be coded, on calibration data; `auto` (default): below 8
   * bits where there are such data.
   */
  readonly compensation?: 'auto' | 'obs' | 'none';
  /** Addresses to work on; default every matrix. */
  readonly target?: readonly string[];
  /** Other settings for some addresses, down to single gates; of several that match, the last counts. */
  readonly mixed?: readonly MixedOptions[];
}

/** Settings of one address that differ from the rest. */
export interface MixedOptions extends Omit<QuantizeOptions, 'target' | 'mixed' | 'vectors' | 'biasCorrection'> {
  readonly target: string;
}

/** Options with all defaults filled in. */
export interface Settled {
  readonly bits: number;
  readonly scheme: Scheme;
  readonly rounding: 'nearest' | 'floor';
  readonly symmetric: boolean;
  readonly granularity: Granularity;
  readonly clip: 'max' | 'mse';
  readonly scales: 'f32' | 'f16' | undefined;
  readonly vectors: 'f32' | 'f16';
  readonly operand: 'u7' | 'u14' | 'f32';
  readonly operandScale: 'auto' | 'dynamic' | 'static';
  readonly biasCorrection: boolean;
  readonly compensation: 'auto' | 'obs' | 'none';
  readonly target: readonly string[];
}

/** @throws OPTION_INVALID for options out of range or that exclude each other */
export function settle(options: QuantizeOptions): Settled {
  const scheme = options.scheme ?? 'linear';
  const levels = isLevelScheme(scheme);
  const { least, most, usual } = bitsOfScheme[scheme];
  const bits = options.bits ?? usual;
  if (!Number.isInteger(bits) || bits < least || bits > most) {
    const range = least === most ? String(least) : `a whole number from ${least} to ${most}`;
    refuse('bits', `${range} for scheme ${scheme}`, String(bits));
  }
  const rounding = options.rounding ?? 'nearest';
  if (rounding === 'floor' && !floored.includes(scheme)) {
    refuse('rounding', 'nearest (the floor formula belongs to the linear and log schemes)', 'floor');
  }
  const granularity = options.granularity ?? (rounding === 'floor' ? 'gate' : 'row');
  if (rounding === 'floor' && scheme === 'log' && granularity === 'row') {
    refuse('granularity', 'tensor or gate: each row would need a table of its own', 'row');
  }
  const integers = levels ? bits <= 4 : scheme === 'linear' && bits <= 8;
  const operand = options.operand ?? (integers ? 'u7' : 'f32');
  if (operand !== 'f32' && !integers) {
    refuse('operand', `f32 for ${bits} bits ${scheme}: integer kernels take at most 8 bits (tables: 4)`, operand);
  }
  const operandScale = options.operandScale ?? 'auto';
  if (operand === 'f32' && operandScale === 'static')
    refuse('operandScale', 'auto or dynamic for float32 operands', 'static');
  if (options.compensation === 'obs' && (rounding === 'floor' || scheme === 'f16')) {
    refuse('compensation', 'auto or none: these codes follow from the weights alone', 'obs');
  }
  const symmetric = options.symmetric ?? (bits > 1 && rounding === 'nearest');
  if (symmetric && rounding === 'floor')
    refuse('symmetric', 'false: the floor formula runs from r_min to r_max', 'true');
  if (symmetric && bits === 1) refuse('symmetric', 'false: one bit has no code above zero', 'true');
  return {
    bits,
    scheme,
    rounding,
    symmetric,
    granularity,
    clip: options.clip ?? (bits < 8 ? 'mse' : 'max'),
    scales: options.scales,
    vectors: options.vectors ?? 'f32',
    operand,
    operandScale,
    biasCorrection: options.biasCorrection ?? false,
    compensation: options.compensation ?? 'auto',
    target: options.target ?? [],
  };
}

function refuse(option: string, expected: string, found: string): never {
  fail('OPTION_INVALID', `option "${option}" does not fit`, { place: option, expected, found });
}
