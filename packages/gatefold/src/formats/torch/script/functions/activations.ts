import { axisAt, setRole, stop } from '../values.ts';
import { type Arguments, type Handler, knownAxes, made, numberAt, valueAt } from './arguments.ts';

type List = (string | number | null)[];

/** A function of each number. Those whose names end in "_" do it to whoever else sees the same numbers. */
function activation(name: string, list: (call: Arguments) => List): [string, Handler][] {
  const apply = (call: Arguments) => {
    const x = valueAt(call);
    return call.add({ type: 'activation', function: list(call), from: x.memory.layer });
  };
  const inPlace: Handler = (call) => {
    const x = valueAt(call);
    if (x.isPart) stop(`${call.place} changes a part of a sequence`);
    x.memory.layer = apply(call);
    return x;
  };
  return [
    [name, (call) => made(apply(call), valueAt(call).axes)],
    [`${name}_`, inPlace],
  ];
}

const softmax =
  (type: 'softmax' | 'logSoftmax'): Handler =>
  (call) => {
    const axes = knownAxes(call);
    setRole(axes[axisAt(axes, call.given[1] ?? null, call.place)], 'features', call.place);
    return made(call.add({ type, from: valueAt(call).memory.layer }), axes);
  };

const elu = (call: Arguments): List => {
  if (numberAt(call, 2, 1) !== 1 || numberAt(call, 3, 1) !== 1) stop(`${call.place} has scales`);
  return ['elu', numberAt(call, 1, 1)];
};

const gelu = ({ named, given }: Arguments): List => [
  (named.get('approximate') ?? given[1] ?? 'none') === 'none' ? 'gelu' : 'geluTanh',
];

export const activations: Readonly<Record<string, Handler>> = {
  ...Object.fromEntries([
    ...activation('relu', () => ['relu']),
    ...activation('relu6', () => ['relu', 0, 6]),
    ...activation('tanh', () => ['tanh']),
    ...activation('sigmoid', () => ['sigmoid']),
    ...activation('silu', () => ['swish']),
    ...activation('selu', () => ['selu']),
    ...activation('mish', () => ['mish']),
    ...activation('hardsigmoid', () => ['hardSigmoid', 1 / 6, 0.5]),
    ...activation('hardswish', () => ['hardSwish', 1 / 6, 0.5]),
    ...activation('elu', elu),
    ...activation('gelu', gelu),
    ...activation('leaky_relu', (call) => ['relu', numberAt(call, 1, 0.01), null, 0]),
    ...activation('hardtanh', (call) => ['clip', numberAt(call, 1, -1), numberAt(call, 2, 1)]),
  ]),
  softmax: softmax('softmax'),
  log_softmax: softmax('logSoftmax'),
};
