import { type Activation, fail } from '@gatefold/runtime';
import { activationAttribute, type GraphBuilder } from '../graph-builder.ts';
import { type ArchitectureLayer, activationOf } from './architecture.ts';
import type { Supply } from './supply.ts';

/** What a layer sees while it is added. */
export interface LayerScene {
  readonly builder: GraphBuilder;
  readonly supply: Supply;
  /** Node name. */
  readonly name: string;
  readonly inputs: readonly string[];
}

type Layer<T extends ArchitectureLayer['type']> = Extract<ArchitectureLayer, { type: T }>;
type Adder<T extends ArchitectureLayer['type']> = (layer: Layer<T>, scene: LayerScene) => string;

function keyOf(layer: { weights: string }, name: string): string {
  return layer.weights === '' ? name : `${layer.weights}.${name}`;
}

function only({ inputs, name }: LayerScene): string {
  if (inputs.length !== 1)
    fail('OPTION_INVALID', 'the layer takes one input', { place: name, found: inputs.join(', ') });
  return inputs[0]!;
}

const embedding: Adder<'embedding'> = (layer, scene) => {
  const { builder, supply, name } = scene;
  const key = layer.keys?.table ?? keyOf(layer, 'weight');
  supply.tensor(key, 2, name);
  const table = supply.weight(`${name}/table`, [key], { kind: 'copy' });
  return builder.add('embedding', name, { x: only(scene) }, {}, { table }).y!;
};

/** The bias of a layer with `kernel` and `bias` where there is one. */
function biasOf(
  layer: { weights: string; keys?: { kernel: string; bias?: string | undefined } | undefined },
  { supply, name }: LayerScene,
): Record<string, string> {
  const key = layer.keys ? layer.keys.bias : keyOf(layer, 'bias');
  if (key === undefined || (!layer.keys && !supply.has(key))) return {};
  supply.tensor(key, 1, name);
  return { bias: supply.weight(`${name}/bias`, [key], { kind: 'copy' }) };
}

const linear: Adder<'linear'> = (layer, scene) => {
  const { builder, supply, name } = scene;
  const key = layer.keys?.kernel ?? keyOf(layer, 'weight');
  supply.tensor(key, 2, name);
  const kernel = supply.weight(`${name}/kernel`, [key], { kind: layer.transposed ? 'transpose' : 'copy' });
  return builder.add('dense', name, { x: only(scene) }, {}, { kernel, ...biasOf(layer, scene) }).y!;
};

const conv1d: Adder<'conv1d'> = (layer, scene) => {
  const { builder, supply, name } = scene;
  const x = only(scene);
  const key = layer.keys?.kernel ?? keyOf(layer, 'weight');
  const [, inputs, size] = supply.tensor(key, 3, name).shape as [number, number, number];
  const features = builder.type(x).shape[0] ?? 0;
  if (features % inputs !== 0) {
    fail('MODEL_SHAPE', 'the convolution does not fit what is before it', {
      place: name,
      expected: `${inputs} features, or a multiple`,
      found: `${features}`,
    });
  }
  const kernel = supply.weight(`${name}/kernel`, [key], { kind: 'taps', taps: size });
  const { stride, dilation } = layer;
  const padding = typeof layer.padding === 'number' ? [layer.padding, layer.padding] : layer.padding;
  const attributes = { size, stride, dilation, padding, groups: features / inputs };
  return builder.add('conv1d', name, { x }, attributes, { kernel, ...biasOf(layer, scene) }).y!;
};

const normalization =
  (kind: 'layer' | 'rms') =>
  (layer: Layer<'layerNorm' | 'rmsNorm'>, scene: LayerScene): string => {
    const { builder, supply, name } = scene;
    const weights: Record<string, string> = {};
    for (const [role, own] of [
      ['gamma', 'weight'],
      ['beta', 'bias'],
    ] as const) {
      const key = keyOf(layer, own);
      if (!supply.has(key)) continue;
      supply.tensor(key, 1, name);
      weights[role] = supply.weight(`${name}/${role}`, [key], { kind: 'copy' });
    }
    return builder.add('normalization', name, { x: only(scene) }, { kind, epsilon: layer.epsilon }, weights).y!;
  };

const batchNorm: Adder<'batchNorm'> = (layer, scene) => {
  const { builder, supply, name } = scene;
  const keys = ['weight', 'bias', 'running_mean', 'running_var'].map((own) => keyOf(layer, own));
  const present = supply.has(keys[0]!) ? keys : keys.slice(2);
  const widths = present.map((key) => supply.tensor(key, 1, name).shape[0]);
  if (widths.some((width) => width !== widths[0])) {
    fail('MODEL_SHAPE', 'the tensors of a normalization differ in length', { place: name, found: widths.join(', ') });
  }
  supply.skip(keyOf(layer, 'num_batches_tracked'));
  const form = { kind: 'batchNorm', epsilon: layer.epsilon } as const;
  const [scale, shift] = supply.weights([`${name}/scale`, `${name}/shift`], present, form) as [string, string];
  return builder.add('scaleShift', name, { x: only(scene) }, {}, { scale, shift }).y!;
};

const prelu: Adder<'prelu'> = (layer, scene) => {
  const { builder, supply, name } = scene;
  const x = only(scene);
  const key = keyOf(layer, 'weight');
  const [slopes] = supply.tensor(key, 1, name).shape;
  const width = builder.type(x).shape.at(-1);
  if (slopes !== width) {
    fail('MODEL_UNSUPPORTED', 'one slope for all features is not known', {
      place: name,
      expected: `${width} slopes`,
      found: `${slopes}`,
      hint: 'use type: activation, function: [relu, SLOPE] and list the key under ignore',
    });
  }
  return builder.add('prelu', name, { x }, {}, { slope: supply.weight(`${name}/slope`, [key], { kind: 'copy' }) }).y!;
};

const unary = (scene: LayerScene, name: string, x: string, activation: Activation) =>
  scene.builder.add('unary', name, { x }, { function: activationAttribute(activation) }).y!;

const flatten: Adder<'flatten'> = (_, scene) => {
  const { builder, name } = scene;
  const x = only(scene);
  if (!builder.isSequence(x)) return x;
  const steps =
    builder.steps(x) ??
    fail('MODEL_SHAPE', 'flatten needs a known number of steps', { place: name, hint: 'give input.steps' });
  const width = builder.type(x).shape.reduce((a, b) => a * b, 1);
  return builder.add('reshape', name, { x }, { shape: [steps * width] }).y!;
};

const binary =
  (fn: 'add' | 'multiply') =>
  (_: unknown, { builder, name, inputs }: LayerScene): string =>
    inputs.slice(1).reduce((a, b) => builder.add('binary', name, { a, b }, { function: fn }).y!, inputs[0]!);

const simple =
  (op: string, attributes: Readonly<Record<string, string | number>> = {}) =>
  (_: unknown, scene: LayerScene): string =>
    scene.builder.add(op, scene.name, { x: only(scene) }, attributes).y!;

/** Everything that is no recurrent layer and takes values alone. */
export const layers: {
  readonly [T in Exclude<ArchitectureLayer['type'], 'lstm' | 'gru' | 'rnn' | 'finalState'>]: Adder<T>;
} = {
  embedding,
  linear,
  conv1d,
  layerNorm: normalization('layer'),
  rmsNorm: normalization('rms'),
  batchNorm,
  prelu,
  activation: (layer, scene) => unary(scene, scene.name, only(scene), activationOf(layer.function, scene.name)),
  softmax: simple('softmax'),
  logSoftmax: (_, scene) =>
    unary(scene, `${scene.name}/log`, scene.builder.add('softmax', scene.name, { x: only(scene) }).y!, ['log']),
  last: simple('last'),
  mean: simple('reduceTime', { function: 'mean' }),
  max: simple('reduceTime', { function: 'max' }),
  reverse: simple('reverse'),
  pool: ({ function: fn, size, stride }, scene) =>
    scene.builder.add('pool', scene.name, { x: only(scene) }, { function: fn, size, stride }).y!,
  flatten,
  repeat: ({ times }, scene) => scene.builder.add('repeat', scene.name, { x: only(scene) }, { times }).y!,
  concat: (_, { builder, name, inputs }) =>
    builder.add('concat', name, Object.fromEntries(inputs.map((value, i) => [i, value]))).y!,
  add: binary('add'),
  multiply: binary('multiply'),
};
