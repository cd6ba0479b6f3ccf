import { axesOf, itemsOf, prefixOf, setRole, stop } from '../values.ts';
import {
  type Arguments,
  alongFeatures,
  features,
  type Handler,
  keyAt,
  knownAxes,
  made,
  numberAt,
  numbersAt,
  optionalKeyAt,
  replaced,
  valueAt,
} from './arguments.ts';

const parentOf = (key: string) => key.slice(0, Math.max(0, key.lastIndexOf('.')));

/** A layer's keys, and their prefix for its name. */
function keysOf(call: Arguments) {
  const [kernel, bias] = [keyAt(call, 1), optionalKeyAt(call, 2)];
  return { weights: parentOf(kernel), keys: { kernel, ...(bias === undefined ? {} : { bias }) } };
}

/** Prefix of the keys of a normalization, all of one module with their usual names. */
function moduleOf(call: Arguments, names: readonly (readonly [at: number, name: string])[]): string {
  const [[first] = [1]] = names;
  const path = parentOf(keyAt(call, first));
  for (const [at, name] of names) {
    if (keyAt(call, at) !== `${prefixOf(path)}${name}`) stop(`${call.place}: its weights are of others`);
  }
  return path;
}

const linear: Handler = (call) => alongFeatures(call, { type: 'linear', ...keysOf(call) });

const embedding: Handler = (call) => {
  const table = keyAt(call, 0);
  const ids = valueAt(call, 1);
  const axes = ids.axes ?? axesOf(ids, 2, call.place);
  const layer = call.add({ type: 'embedding', weights: parentOf(table), keys: { table }, from: ids.memory.layer });
  return made(layer, [...axes, features()]);
};

const layerNorm: Handler = (call) => {
  if (numbersAt(call, 1).length !== 1) stop(`${call.place} is over more than the features`);
  const bias = optionalKeyAt(call, 3) === undefined ? [] : ([[3, 'bias']] as const);
  const weights = moduleOf(call, [[2, 'weight'], ...bias]);
  return alongFeatures(call, { type: 'layerNorm', weights, epsilon: numberAt(call, 4, 1e-5) });
};

const batchNorm: Handler = (call) => {
  const axes = knownAxes(call);
  setRole(axes[1], 'features', call.place);
  const names = ['weight', 'bias', 'running_mean', 'running_var'] as const;
  const weights = moduleOf(
    call,
    names.map((name, i) => [i + 1, name] as const),
  );
  if (call.given[5] !== false) stop(`${call.place} takes statistics of its batch`);
  return made(
    call.add({ type: 'batchNorm', weights, epsilon: numberAt(call, 7), from: valueAt(call).memory.layer }),
    axes,
  );
};

/** Convolution of [batch, features, time]; groups follow from the shapes. */
const conv1d: Handler = (call) => {
  const x = valueAt(call);
  const axes = axesOf(x, 3, call.place);
  setRole(axes[0], 'batch', call.place);
  setRole(axes[1], 'features', call.place);
  setRole(axes[2], 'time', call.place);
  const [stride, padding, dilation] = [3, 4, 5].map((at) => numbersAt(call, at)[0]!) as [number, number, number];
  const layer = call.add({ type: 'conv1d', ...keysOf(call), stride, padding, dilation, from: x.memory.layer });
  return made(layer, replaced(axes, 1, features()));
};

const convolution: Handler = (call) => (call.given[6] === false ? conv1d(call) : stop(`${call.place} is transposed`));

const pool =
  (fn: 'max' | 'mean'): Handler =>
  (call) => {
    const x = valueAt(call);
    const axes = axesOf(x, 3, call.place);
    setRole(axes[2], 'time', call.place);
    const [size] = numbersAt(call, 1);
    const [stride = size] = itemsOf(call.given[2])?.length === 0 ? [] : numbersAt(call, 2);
    const [padding = 0, ...others] = call.given.slice(3).map((option) => itemsOf(option)?.[0] ?? option);
    // Maxima have a dilation before the last option, means say behind it how they count padding.
    const [dilation, roundsUp] = fn === 'max' ? [others[0] ?? 1, others[1] ?? false] : [1, others[0] ?? false];
    if (padding !== 0 || dilation !== 1 || roundsUp !== false) stop(`${call.place} pads or dilates`);
    return made(call.add({ type: 'pool', function: fn, size: size!, stride: stride!, from: x.memory.layer }), axes);
  };

export const layers: Readonly<Record<string, Handler>> = {
  linear,
  embedding,
  layer_norm: layerNorm,
  batch_norm: batchNorm,
  conv1d,
  _convolution: convolution,
  max_pool1d: pool('max'),
  avg_pool1d: pool('mean'),
};
