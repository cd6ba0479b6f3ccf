import type { ArchitectureLayer } from '../../state-dict/index.ts';
import {
  type Axis,
  axesOf,
  axisAt,
  type LayerValue,
  type ListValue,
  type StateValue,
  setRole,
  stop,
  type Value,
} from './values.ts';

/** What a function of torch is given: arguments by place, or by name. */
export interface Arguments {
  readonly given: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
  /** For messages. */
  readonly place: string;
  /** Adds a layer; returns its name. */
  add(layer: ArchitectureLayer): string;
}

type Handler = (call: Arguments) => Value;

const isKind = <K extends string>(value: Value | undefined, kind: K): value is Extract<Value, { kind: K }> =>
  typeof value === 'object' && value !== null && value.kind === kind;

function valueAt({ given, place }: Arguments, at = 0): LayerValue {
  const value = given[at];
  if (isKind(value, 'value')) return value;
  return stop(isKind(value, 'unknown') ? value.why : `${place} is not given the output of a layer`);
}

function keyAt({ given, place }: Arguments, at: number): string {
  const value = given[at];
  return isKind(value, 'tensor') ? value.key : stop(`${place} computes its weights`);
}

function numberAt({ given, place }: Arguments, at: number, otherwise?: number): number {
  const value = given[at] ?? otherwise;
  return typeof value === 'number' ? value : stop(`${place} has an option that is no number`);
}

const itemsOf = (value: Value | undefined): readonly Value[] | undefined =>
  isKind(value, 'list') ? value.items : undefined;

/** Numbers of a list, or of one that stands for a list. */
function numbersAt({ given, place }: Arguments, at: number): number[] {
  const items = itemsOf(given[at]) ?? [given[at] ?? null];
  return items.map((item) => (typeof item === 'number' ? item : stop(`${place} has an option that is no number`)));
}

const made = (layer: string, axes: readonly Axis[] | undefined): LayerValue => ({ kind: 'value', layer, axes });
const features = (): Axis => ({ role: 'features' });

/** A layer that changes the features alone, which are the last dimension. */
function alongFeatures(call: Arguments, layer: ArchitectureLayer, change = false): LayerValue {
  const x = valueAt(call);
  const axes = x.axes ?? axesOf(x, 3, call.place);
  setRole(axes.at(-1), 'features', call.place);
  return made(call.add({ ...layer, from: x.layer }), change ? [...axes.slice(0, -1), features()] : axes);
}

const activation =
  (make: (call: Arguments) => (string | number | null)[]): Handler =>
  (call) => {
    const x = valueAt(call);
    return made(call.add({ type: 'activation', function: make(call), from: x.layer }), x.axes);
  };
const plain = (...list: (string | number | null)[]) => activation(() => list);

const softmax =
  (type: 'softmax' | 'logSoftmax'): Handler =>
  (call) => {
    const x = valueAt(call);
    const axes = x.axes ?? stop(`${call.place}: the dimensions of its input are not known`);
    setRole(axes[axisAt(axes, call.given[1] ?? null, call.place)], 'features', call.place);
    return made(call.add({ type, from: x.layer }), axes);
  };

const same: Handler = ({ given }) => given[0] ?? null;

/** Values along the features, or the states of both directions. */
const cat: Handler = (call) => {
  const items = itemsOf(call.given[0]) ?? stop(`${call.place} joins something else than a list`);
  const states = items.filter((item) => isKind(item, 'state'));
  if (states.length === 2 && items.length === 2) {
    const [a, b] = states as [StateValue, StateValue];
    const isPair = a.layer === b.layer && a.picked === 'forward' && b.picked === 'backward';
    if (!isPair || axisAt(a.axes, call.given[1] ?? 0, call.place) !== 1) stop(`${call.place} joins states otherwise`);
    return made(call.add({ type: 'finalState', from: a.layer }), a.axes);
  }
  const values = items.map((_, i) => valueAt({ ...call, given: items }, i));
  const axes = values[0]?.axes ?? stop(`${call.place} joins values of unknown dimensions`);
  const at = axisAt(axes, call.given[1] ?? 0, call.place);
  setRole(axes[at], 'features', call.place);
  for (const { axes: own } of values) {
    if (own?.length !== axes.length || own.some((axis, i) => i !== at && axis !== axes[i]))
      stop(`${call.place} joins values of other dimensions`);
    setRole(own[at], 'features', call.place);
  }
  const layer = call.add({ type: 'concat', from: values.map((value) => value.layer) });
  return made(
    layer,
    axes.map((axis, i) => (i === at ? features() : axis)),
  );
};

const select: Handler = (call) => {
  const [from, dimension = null, index = null] = call.given;
  if (isKind(from, 'state')) return pick(call, from, dimension, index);
  const x = valueAt(call);
  const axes = x.axes ?? axesOf(x, 3, call.place);
  const at = axisAt(axes, dimension, call.place);
  if (axes[at]!.role !== 'time' || index !== -1) stop(`${call.place} picks something else than the last step`);
  return made(
    call.add({ type: 'last', from: x.layer }),
    axes.filter((_, i) => i !== at),
  );
};

function pick(call: Arguments, state: StateValue, dimension: Value, index: Value): Value {
  const { levels, both, axes, layer, picked } = state;
  const count = levels * (both ? 2 : 1);
  const at = typeof index === 'number' && index < 0 ? index + count : index;
  const isLast = at === count - 1 || (both && at === count - 2);
  if (picked || dimension !== 0 || !isLast) stop(`${call.place} picks something else than states of the last level`);
  if (both) return { ...state, picked: at === count - 1 ? 'backward' : 'forward', axes: axes.slice(1) };
  return made(call.add({ type: 'finalState', from: layer }), axes.slice(1));
}

const squeeze: Handler = (call) => {
  const [from, dimension = null] = call.given;
  if (isKind(from, 'state') && dimension === 0 && from.levels === 1 && !from.both) return pick(call, from, 0, -1);
  const x = valueAt(call);
  const axes = x.axes ?? stop(`${call.place}: the dimensions of its input are not known`);
  const at = axisAt(axes, dimension, call.place);
  // Of one feature; several stay as they are. The numbers are the same.
  setRole(axes[at], 'features', call.place);
  return made(
    x.layer,
    axes.filter((_, i) => i !== at),
  );
};

const slice: Handler = ({ given, place }) => {
  const [x = null, , start = null, end = null, step = 1] = given;
  const isWhole = (start === null || start === 0) && (end === null || (typeof end === 'number' && end > 2 ** 62));
  return isWhole && step === 1 ? x : stop(`${place} cuts something out`);
};

const permute: Handler = (call) => {
  const x = valueAt(call);
  const places = numbersAt(call, 1);
  const axes = axesOf(x, places.length, call.place);
  return made(
    x.layer,
    places.map((at) => axes[axisAt(axes, at, call.place)]!),
  );
};

const transpose: Handler = (call) => {
  const x = valueAt(call);
  const axes = [...(x.axes ?? axesOf(x, 3, call.place))];
  const [a, b] = [1, 2].map((i) => axisAt(axes, call.given[i] ?? null, call.place)) as [number, number];
  [axes[a], axes[b]] = [axes[b]!, axes[a]!];
  return made(x.layer, axes);
};

/** Over all steps. */
const overTime =
  (type: 'mean' | 'max'): Handler =>
  (call) => {
    const x = valueAt(call);
    const axes = x.axes ?? stop(`${call.place}: the dimensions of its input are not known`);
    const [dimension, ...more] = numbersAt(call, 1);
    const at = axisAt(axes, dimension ?? null, call.place);
    if (axes[at]!.role !== 'time' || more.length > 0 || call.given[2] === true) {
      stop(`${call.place} is over something else than the steps`);
    }
    return made(
      call.add({ type, from: x.layer }),
      axes.filter((_, i) => i !== at),
    );
  };

const binary =
  (type: 'add' | 'multiply'): Handler =>
  (call) => {
    const [a, b] = [valueAt(call, 0), valueAt(call, 1)];
    const factor = call.given[2] ?? 1;
    if (factor !== 1 || a.axes?.length !== b.axes?.length) stop(`${call.place} broadcasts`);
    return made(call.add({ type, from: [a.layer, b.layer] }), a.axes);
  };

const linear: Handler = (call) => {
  const kernel = keyAt(call, 1);
  const bias = (call.given[2] ?? null) === null ? undefined : keyAt(call, 2);
  return alongFeatures(call, { type: 'linear', ...keysOf(kernel, bias) }, true);
};

/** A layer's keys, and their prefix for its name. */
function keysOf(kernel: string, bias: string | undefined) {
  const weights = kernel.slice(0, Math.max(0, kernel.lastIndexOf('.')));
  return { weights, keys: { kernel, ...(bias === undefined ? {} : { bias }) } };
}

/** Prefix of the keys of a normalization: those of its module. */
function moduleOf(call: Arguments, keys: readonly (readonly [at: number, name: string])[]): string {
  const found = keys.map(([at, name]) => {
    const key = keyAt(call, at);
    return key === name ? '' : key.endsWith(`.${name}`) ? key.slice(0, -name.length - 1) : undefined;
  });
  const [first] = found;
  return first !== undefined && found.every((each) => each === first)
    ? first
    : stop(`${call.place}: its weights are of others`);
}

const conv1d = (places: { stride: number; padding: number; dilation: number }): Handler => {
  return (call) => {
    const x = valueAt(call);
    const axes = axesOf(x, 3, call.place);
    setRole(axes[0], 'batch', call.place);
    setRole(axes[1], 'features', call.place);
    setRole(axes[2], 'time', call.place);
    const bias = (call.given[2] ?? null) === null ? undefined : keyAt(call, 2);
    const [stride, padding, dilation] = [places.stride, places.padding, places.dilation].map(
      (at) => numbersAt(call, at)[0]!,
    );
    const layer = { type: 'conv1d', ...keysOf(keyAt(call, 1), bias), from: x.layer } as const;
    const name = call.add({ ...layer, stride: stride!, padding: padding!, dilation: dilation! });
    return made(name, [axes[0]!, features(), axes[2]!]);
  };
};

const pool =
  (fn: 'max' | 'mean'): Handler =>
  (call) => {
    const x = valueAt(call);
    const axes = axesOf(x, 3, call.place);
    setRole(axes[2], 'time', call.place);
    const [size] = numbersAt(call, 1);
    const [stride = size] = itemsOf(call.given[2])?.length === 0 ? [] : numbersAt(call, 2);
    const isPlain = numbersAt(call, 3)[0] === 0 && (fn === 'mean' || numbersAt(call, 4)[0] === 1);
    if (!isPlain || call.given[fn === 'mean' ? 4 : 5] !== false) stop(`${call.place} pads or dilates`);
    return made(call.add({ type: 'pool', function: fn, size: size!, stride: stride!, from: x.layer }), axes);
  };

const embedding: Handler = (call) => {
  const key = keyAt(call, 0);
  const ids = valueAt(call, 1);
  const axes = ids.axes ?? axesOf(ids, 2, call.place);
  const layer = {
    type: 'embedding',
    weights: key.slice(0, Math.max(0, key.lastIndexOf('.'))),
    keys: { table: key },
  } as const;
  return made(call.add({ ...layer, from: ids.layer }), [...axes, features()]);
};

/** torch.lstm and its kin, of values that are not packed. */
const recurrent =
  (type: 'lstm' | 'gru' | 'rnn', nonlinearity?: 'tanh' | 'relu'): Handler =>
  (call) => {
    const [, states, tensors, , levels, , , both, batchFirst] = call.given;
    const zero = (type === 'lstm' ? itemsOf(states) : [states ?? null])?.every((state) => isKind(state, 'zeros'));
    const keys = (itemsOf(tensors) ?? []).map((item) => (isKind(item, 'tensor') ? item.key : ''));
    const weights = keys[0]?.replace(/\.?weight_ih_l0$/, '');
    const prefix = weights === '' ? '' : `${weights}.`;
    if (!zero) stop(`${call.place} starts with states of its own`);
    if (
      weights === undefined ||
      !keys.every(
        (key) => /^(weight|bias)_(ih|hh|hr)_l\d+(_reverse)?$/.test(key.slice(prefix.length)) && key.startsWith(prefix),
      )
    )
      stop(`${call.place}: its weights are of others`);
    return addRecurrent(
      call,
      { type, weights, ...(nonlinearity ? { nonlinearity } : {}) },
      {
        levels: typeof levels === 'number' ? levels : stop(`${call.place} has unknown levels`),
        both: both === true,
        batchFirst: batchFirst === true,
        asList: true,
      },
    );
  };

/** Adds a recurrent layer; returns its outputs: steps and states. `asList`: as torch's functions return them. */
export function addRecurrent(
  call: Arguments,
  layer: Extract<ArchitectureLayer, { type: 'lstm' | 'gru' | 'rnn' }>,
  options: { levels: number; both: boolean; batchFirst: boolean; asList: boolean },
): ListValue {
  const x = valueAt(call);
  const axes = axesOf(x, 3, call.place);
  const [batch, time] = options.batchFirst ? [axes[0]!, axes[1]!] : [axes[1]!, axes[0]!];
  setRole(batch, 'batch', call.place);
  setRole(time, 'time', call.place);
  setRole(axes[2], 'features', call.place);
  const name = call.add({ ...layer, from: x.layer });
  const { levels, both } = options;
  const h: StateValue = { kind: 'state', layer: name, levels, both, axes: [{}, batch, features()] };
  const c: Value = { kind: 'unknown', why: `the cell states of ${call.place} are used` };
  const states: Value[] = layer.type !== 'lstm' ? [h] : options.asList ? [h, c] : [{ kind: 'list', items: [h, c] }];
  return { kind: 'list', items: [made(name, [...axes.slice(0, 2), features()]), ...states] };
}

const identical = (a: Value, b: Value) => (typeof a === 'object' && a !== null ? false : a === b);
const known = (value: Value | undefined): value is number | string | boolean | null =>
  value !== undefined && (typeof value !== 'object' || value === null);

/** A comparison of what is known; of objects only whether they are None. */
const compare =
  (holds: (a: never, b: never) => boolean): Handler =>
  ({ given: [a, b], place }) =>
    known(a) && known(b)
      ? holds(a as never, b as never)
      : { kind: 'unknown', why: `${place} compares what is not known` };

/** Functions of torch by their names behind "torch.". */
export const functions: Readonly<Record<string, Handler>> = {
  ...Object.fromEntries(
    ['contiguous', 'detach', 'clone', 'dropout', 'dropout_', 'feature_dropout', 'alias'].map((name) => [name, same]),
  ),
  ...Object.fromEntries(
    (
      [
        [['relu', 'relu_'], plain('relu')],
        [['tanh', 'tanh_'], plain('tanh')],
        [['sigmoid', 'sigmoid_'], plain('sigmoid')],
        [['silu', 'silu_'], plain('swish')],
        [['selu', 'selu_'], plain('selu')],
        [['mish'], plain('mish')],
        [['hardsigmoid', 'hardsigmoid_'], plain('hardSigmoid', 1 / 6, 0.5)],
        [['hardswish', 'hardswish_'], plain('hardSwish', 1 / 6, 0.5)],
        [['elu', 'elu_'], activation((call) => ['elu', numberAt(call, 1, 1)])],
        [['leaky_relu', 'leaky_relu_'], activation((call) => ['relu', numberAt(call, 1, 0.01), null, 0])],
        [['hardtanh', 'hardtanh_'], activation((call) => ['clip', numberAt(call, 1, -1), numberAt(call, 2, 1)])],
        [
          ['gelu'],
          activation(({ named, given }) => [(named.get('approximate') ?? given[1]) === 'tanh' ? 'geluTanh' : 'gelu']),
        ],
      ] as const
    ).flatMap(([names, handler]) => names.map((name) => [name, handler])),
  ),
  softmax: softmax('softmax'),
  log_softmax: softmax('logSoftmax'),
  linear,
  embedding,
  layer_norm: (call) =>
    alongFeatures(call, {
      type: 'layerNorm',
      weights: moduleOf(call, [[2, 'weight'], ...((call.given[3] ?? null) === null ? [] : ([[3, 'bias']] as const))]),
      epsilon: numberAt(call, 4, 1e-5),
    }),
  batch_norm: (call) => {
    const x = valueAt(call);
    const axes = x.axes ?? stop(`${call.place}: the dimensions of its input are not known`);
    setRole(axes[1], 'features', call.place);
    const names = ['weight', 'bias', 'running_mean', 'running_var'] as const;
    const weights = moduleOf(
      call,
      names.map((name, i) => [i + 1, name] as const),
    );
    if (call.given[5] !== false) stop(`${call.place} takes statistics of its batch`);
    return made(call.add({ type: 'batchNorm', weights, epsilon: numberAt(call, 7), from: x.layer }), axes);
  },
  conv1d: conv1d({ stride: 3, padding: 4, dilation: 5 }),
  _convolution: conv1d({ stride: 3, padding: 4, dilation: 5 }),
  max_pool1d: pool('max'),
  avg_pool1d: pool('mean'),
  lstm: recurrent('lstm'),
  gru: recurrent('gru'),
  rnn_tanh: recurrent('rnn', 'tanh'),
  rnn_relu: recurrent('rnn', 'relu'),
  cat,
  select,
  slice,
  squeeze,
  permute,
  transpose,
  mean: overTime('mean'),
  amax: overTime('max'),
  max: (call) => ({
    kind: 'list',
    items: [overTime('max')(call), { kind: 'unknown', why: 'places of maxima are used' }],
  }),
  add: binary('add'),
  mul: binary('multiply'),
  zeros: () => ({ kind: 'zeros' }),
  dim: (call) => {
    const [x] = call.given;
    return isKind(x, 'value') && x.axes
      ? x.axes.length
      : { kind: 'unknown', why: 'dimensions of the input are asked for' };
  },
  eq: compare((a, b) => a === b),
  ne: compare((a, b) => a !== b),
  lt: compare((a: number, b: number) => a < b),
  gt: compare((a: number, b: number) => a > b),
  le: compare((a: number, b: number) => a <= b),
  ge: compare((a: number, b: number) => a >= b),
  __not__: ({ given: [a], place }) =>
    typeof a === 'boolean' ? !a : { kind: 'unknown', why: `${place} turns what is not known` },
  __is__: ({ given: [a = null, b = null] }) => identical(a, b),
  __isnot__: ({ given: [a = null, b = null] }) => !identical(a, b),
  __contains__: ({ given: [list, item], place }) =>
    known(item) && itemsOf(list)
      ? itemsOf(list)!.includes(item)
      : { kind: 'unknown', why: `${place} looks for what is not known` },
};
