import type { ArchitectureLayer } from './architecture.ts';
import type { ModuleEntry } from './types.ts';

type Options = Readonly<Record<string, unknown>>;
/** A layer without what the entry itself gives; undefined where the options are unknown or have no meaning. */
type Make = (options: Options, weights: string) => ArchitectureLayer | undefined;

const number = (value: unknown): number | undefined => {
  const [first] = Array.isArray(value) ? value : [value];
  return typeof first === 'number' && Number.isFinite(first) ? first : undefined;
};

const activation =
  (make: (options: Options) => readonly (string | number | null | undefined)[]): Make =>
  (options) => {
    const list = make(options);
    return list.includes(undefined) ? undefined : { type: 'activation', function: list as (string | number | null)[] };
  };

const fixed = (...list: (string | number | null)[]): Make => activation(() => list);

const pool =
  (fn: 'max' | 'mean'): Make =>
  (options) => {
    const size = number(options.kernel_size);
    const stride = number(options.stride) ?? size;
    const plain = number(options.padding) === 0 && (number(options.dilation) ?? 1) === 1 && options.ceil_mode === false;
    return size === undefined || stride === undefined || !plain
      ? undefined
      : { type: 'pool', function: fn, size, stride };
  };

/** A number of steps, or a word that stands for one; the odd step of "same" is on the right. */
function paddingOf({ padding, kernel_size, dilation }: Options): number | [number, number] | undefined {
  if (padding === 'valid') return 0;
  if (padding !== 'same') return number(padding);
  const total = ((number(kernel_size) ?? Number.NaN) - 1) * (number(dilation) ?? 1);
  return Number.isInteger(total) && total >= 0 ? [Math.floor(total / 2), Math.ceil(total / 2)] : undefined;
}

const conv1d: Make = (options, weights) => {
  const [stride, dilation] = [options.stride, options.dilation].map(number);
  const padding = paddingOf(options);
  if (stride === undefined || padding === undefined || dilation === undefined) return undefined;
  return (options.padding_mode ?? 'zeros') === 'zeros'
    ? { type: 'conv1d', weights, stride, padding, dilation }
    : undefined;
};

const recurrent =
  (type: 'lstm' | 'gru'): Make =>
  (_, weights) => ({ type, weights });

const rnn: Make = (options, weights) => {
  const mode = options.nonlinearity ?? String(options.mode).replace(/^RNN_/, '').toLowerCase();
  return mode === 'tanh' || mode === 'relu' ? { type: 'rnn', weights, nonlinearity: mode } : undefined;
};

const normalization =
  (type: 'layerNorm' | 'batchNorm' | 'rmsNorm'): Make =>
  (options, weights) => {
    // Without an epsilon of its own, RMSNorm takes that of float32.
    const epsilon = number(options.eps) ?? (type === 'rmsNorm' && options.eps === null ? 2 ** -23 : undefined);
    return epsilon === undefined ? undefined : { type, weights, epsilon };
  };

/** Softmax over the features; other dimensions have no meaning here. */
const softmax =
  (type: 'softmax' | 'logSoftmax'): Make =>
  ({ dim }) =>
    dim === -1 || dim === 1 || dim === 2 ? { type } : undefined;

/** The dimension of a softmax that counts from the batch: the features of a vector are 1, those of a sequence 2. */
export function softmaxDimension({ options = {} }: ModuleEntry): number | undefined {
  const { dim } = options;
  return dim === 1 || dim === 2 ? dim : undefined;
}

const modules = 'torch.nn.modules';
const makers: Readonly<Record<string, Make>> = {
  [`${modules}.rnn.LSTM`]: recurrent('lstm'),
  [`${modules}.rnn.GRU`]: recurrent('gru'),
  [`${modules}.rnn.RNN`]: rnn,
  [`${modules}.rnn.LSTMCell`]: recurrent('lstm'),
  [`${modules}.rnn.GRUCell`]: recurrent('gru'),
  [`${modules}.rnn.RNNCell`]: rnn,
  [`${modules}.linear.Linear`]: (_, weights) => ({ type: 'linear', weights }),
  [`${modules}.sparse.Embedding`]: (options, weights) =>
    (options.max_norm ?? null) === null ? { type: 'embedding', weights } : undefined,
  [`${modules}.conv.Conv1d`]: conv1d,
  [`${modules}.normalization.LayerNorm`]: normalization('layerNorm'),
  [`${modules}.normalization.RMSNorm`]: normalization('rmsNorm'),
  [`${modules}.batchnorm.BatchNorm1d`]: normalization('batchNorm'),
  [`${modules}.activation.PReLU`]: (_, weights) => ({ type: 'prelu', weights }),
  [`${modules}.activation.ReLU`]: fixed('relu'),
  [`${modules}.activation.ReLU6`]: fixed('relu', 0, 6),
  [`${modules}.activation.LeakyReLU`]: activation(({ negative_slope }) => ['relu', number(negative_slope), null, 0]),
  [`${modules}.activation.ELU`]: activation(({ alpha }) => ['elu', number(alpha)]),
  [`${modules}.activation.CELU`]: activation(({ alpha }) => ['celu', number(alpha)]),
  [`${modules}.activation.SELU`]: fixed('selu'),
  [`${modules}.activation.GELU`]: activation(({ approximate }) => [
    approximate === 'tanh' ? 'geluTanh' : approximate === 'none' ? 'gelu' : undefined,
  ]),
  [`${modules}.activation.SiLU`]: fixed('swish'),
  [`${modules}.activation.Mish`]: fixed('mish'),
  [`${modules}.activation.Tanh`]: fixed('tanh'),
  [`${modules}.activation.Sigmoid`]: fixed('sigmoid'),
  [`${modules}.activation.Hardsigmoid`]: fixed('hardSigmoid', 1 / 6, 0.5),
  [`${modules}.activation.Hardswish`]: fixed('hardSwish', 1 / 6, 0.5),
  [`${modules}.activation.Hardtanh`]: activation(({ min_val, max_val }) => ['clip', number(min_val), number(max_val)]),
  [`${modules}.activation.Softsign`]: fixed('softsign'),
  [`${modules}.activation.Softplus`]: ({ beta }) =>
    number(beta) === 1 ? { type: 'activation', function: ['softplus'] } : undefined,
  [`${modules}.activation.Softmax`]: softmax('softmax'),
  [`${modules}.activation.LogSoftmax`]: softmax('logSoftmax'),
  [`${modules}.pooling.MaxPool1d`]: pool('max'),
  [`${modules}.pooling.AvgPool1d`]: pool('mean'),
  [`${modules}.flatten.Flatten`]: () => ({ type: 'flatten' }),
};

/** Classes that do nothing at inference, or only hold others. */
const silent = /^torch\.nn\.modules\.(dropout\.\w+|linear\.Identity|container\.\w+|loss\.\w+)$/;

/** Whether the module adds nothing to what its children do. */
export function isSilent({ className = '', tensors }: ModuleEntry): boolean {
  return tensors.size === 0 && silent.test(className);
}

/** Whether a class is one of PyTorch's own that are known. */
export function isKnownClass(className: string): boolean {
  return Object.hasOwn(makers, className);
}

/** The layer of a module of a known class; undefined where the file does not tell its options, or they are unusual. */
export function layerOfClass({ className = '', options = {}, path }: ModuleEntry): ArchitectureLayer | undefined {
  return isKnownClass(className) ? makers[className]!(options, path) : undefined;
}
