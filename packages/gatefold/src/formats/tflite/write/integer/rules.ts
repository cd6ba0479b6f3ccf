import type { WrittenOperator } from '../file.ts';

/**
 * How an operator works on integers. `same`: its output is coded as its input. `alike`: its inputs must be coded as its
 * output. `own`: each has a coding of its own. `fixed`: the kernel knows the coding of its output. `product`: 8-bit
 * weights at input 1, a bias in the product's own scale at input 2. `lookup`: rows of an 8-bit table, in its scale.
 * `decode`: it has nothing left to do. `lstm`: the sequence operator.
 */
type Kind = 'same' | 'alike' | 'own' | 'fixed' | 'product' | 'lookup' | 'decode' | 'lstm';

export interface Rule {
  readonly kind: Kind;
  /** Versions of the operator from which on it takes 8 and 16 bits. */
  readonly versions: readonly [number, number];
  /** Options it needs beside those it has on floats. */
  readonly options?: WrittenOperator['options'];
}

const rule = (kind: Kind, ...versions: [number, number]): Rule => ({ kind, versions });
/** Otherwise 16-bit scales would have to be powers of two. */
const anyScale = { powerOfTwo: false };

/** The operators with integer kernels in TensorFlow Lite, as far as this writer makes them. */
export const integerRules: Readonly<Record<string, Rule>> = {
  RESHAPE: rule('same', 1, 1),
  STRIDED_SLICE: rule('same', 2, 4),
  SLICE: rule('same', 2, 4),
  TRANSPOSE: rule('same', 2, 4),
  REVERSE_V2: rule('same', 3, 3),
  UNPACK: rule('same', 2, 4),
  PAD: rule('same', 2, 3),
  MAX_POOL_2D: rule('same', 2, 3),
  AVERAGE_POOL_2D: rule('same', 2, 3),
  REDUCE_MAX: rule('same', 2, 3),
  PACK: rule('alike', 2, 3),
  CONCATENATION: rule('alike', 2, 3),
  MAXIMUM: rule('alike', 2, 4),
  MINIMUM: rule('alike', 2, 4),
  ADD: { ...rule('own', 2, 3), options: anyScale },
  SUB: { ...rule('own', 2, 5), options: anyScale },
  MUL: rule('own', 3, 4),
  MEAN: rule('own', 2, 3),
  RELU: rule('own', 2, 3),
  LEAKY_RELU: rule('own', 2, 2),
  LOGISTIC: rule('fixed', 2, 3),
  TANH: rule('fixed', 2, 3),
  SOFTMAX: rule('fixed', 2, 3),
  FULLY_CONNECTED: rule('product', 5, 7),
  CONV_2D: rule('product', 5, 5),
  GATHER: rule('lookup', 2, 2),
  DEQUANTIZE: rule('decode', 2, 3),
  UNIDIRECTIONAL_SEQUENCE_LSTM: rule('lstm', 3, 3),
};
