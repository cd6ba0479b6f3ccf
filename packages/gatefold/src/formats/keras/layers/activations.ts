import type { Activation } from '@gatefold/runtime';
import { show } from '../../json.ts';
import { type ActivationSpec, activationSpec, type GraphActivation, layerActivation } from '../activation.ts';
import { join, type LayerCall } from '../call.ts';
import { type LayerKind, type LayerKinds, own } from '../kind.ts';
import { sizeOfShape, type Value } from '../values.ts';

/** The layer's option `activation` as a spec. */
export function activationOf(call: LayerCall): ActivationSpec {
  return (
    activationSpec(call.option('activation'), call.version) ??
    call.refuse('its activation is not supported', {
      found: show(call.option('activation')),
      hint: 'use a built-in activation of Keras, or save the model without it and apply it yourself',
    })
  );
}

/** Adds the nodes of an activation, named `suffix` under the call's name ('': the call itself). */
export function applyActivation(call: LayerCall, x: Value, spec: ActivationSpec, suffix = 'activation'): Value {
  const nodes = new Nodes(call, suffix);
  switch (spec.kind) {
    case 'softmax':
      call.rows(x);
      return { ...x, name: call.node(suffix, 'softmax', x.name) };
    case 'logSoftmax': {
      call.rows(x);
      // Where float32 would underflow to log 0 = −∞, the smallest normal number stays: −87.3.
      const y = nodes.unary(call.node(join(suffix, 'softmax'), 'softmax', x.name), 'clip', 2 ** -126, 1);
      return { ...x, name: nodes.unary(y, 'log') };
    }
    case 'glu': {
      const { features } = call.rows(x);
      if (features % 2 !== 0) call.fail('MODEL_SHAPE', 'splits an odd number of features', { found: `${features}` });
      const half = (from: number) =>
        call.node(join(suffix, 'half'), 'slice', x.name, { attributes: { from, to: from + features / 2 } });
      const name = nodes.binary('multiply', half(0), nodes.unary(half(features / 2), 'sigmoid'));
      return { ...x, name, shape: [...x.shape.slice(0, -1), features / 2] };
    }
    case 'graph':
      return { ...x, name: graphs[spec.name](nodes, x.name) };
    default:
      return { ...x, name: spec.functions.reduce((name, fn) => nodes.unary(name, ...fn), x.name) };
  }
}

/** Adds element-wise nodes of one activation. */
class Nodes {
  private readonly call: LayerCall;
  private readonly name: string;

  constructor(call: LayerCall, suffix: string) {
    this.call = call;
    this.name = join(call.name, suffix);
  }

  unary(x: string, ...activation: Activation): string {
    return activation[0] === 'linear' ? x : this.call.emitter.unary(this.name, x, activation);
  }

  binary(fn: string, a: string, b: string): string {
    return this.call.emitter.binary(this.name, fn, a, b);
  }
}

const infinity = Number.POSITIVE_INFINITY;

/** Activations that take several element-wise nodes. */
const graphs: Readonly<Record<GraphActivation, (nodes: Nodes, x: string) => string>> = {
  tanh_shrink: (nodes, x) => nodes.binary('subtract', x, nodes.unary(x, 'tanh')),
  // x where |x| > ½, else 0.
  hard_shrink(nodes, x) {
    const above = nodes.unary(x, 'relu', 0, infinity, 0.5);
    const below = nodes.unary(nodes.unary(x, 'negate'), 'relu', 0, infinity, 0.5);
    return nodes.binary('subtract', above, below);
  },
  // x moved towards 0 by ½.
  soft_shrink(nodes, x) {
    const above = nodes.unary(nodes.unary(x, 'affine', 1, -0.5), 'relu');
    const below = nodes.unary(nodes.unary(x, 'affine', -1, -0.5), 'relu');
    return nodes.binary('subtract', above, below);
  },
  // (x + √(x² + 4))/2.
  squareplus(nodes, x) {
    const root = nodes.unary(nodes.unary(nodes.unary(x, 'square'), 'affine', 1, 4), 'sqrt');
    return nodes.unary(nodes.binary('add', x, root), 'affine', 0.5, 0);
  },
  // 0 below −1, ((x + 1)/2)² between, x above 1: the middle part of the clipped x, plus what is above.
  sparse_plus(nodes, x) {
    const middle = nodes.unary(nodes.unary(nodes.unary(x, 'clip', -1, 1), 'affine', 0.5, 0.5), 'square');
    return nodes.binary('add', middle, nodes.unary(nodes.unary(x, 'affine', 1, -1), 'relu'));
  },
};

/** Layers that are an element-wise function. */
const elementwise: LayerKind = {
  rowwise: true,
  call(call) {
    const spec = layerActivation(call.layer.className, call.config);
    if (!spec) return call.refuse('its options are not supported', { found: show(call.config) });
    return [applyActivation(call, call.input(), spec, '')];
  },
};

/** Slopes that are shared along the steps are one per feature; others are one per number of the whole value. */
const prelu: LayerKind = {
  rowwise: true,
  variables: () => own('alpha'),
  call(call) {
    const x = call.input();
    const { shape, read } = call.anyVariable('alpha');
    const features = call.features(x);
    const act = (value: string, size: number, make: () => Float32Array) =>
      call.node('', 'prelu', value, { weights: { slope: call.weight('slope', [size], make) } });
    if (shape.slice(0, -1).every((n) => n === 1) && (shape.at(-1) === features || shape.at(-1) === 1)) {
      call.rows(x);
      const wide = () => (shape.at(-1) === features ? read() : new Float32Array(features).fill(read()[0]!));
      return [call.keep(x, act(x.name, features, wide))];
    }
    const size = sizeOfShape(x.shape);
    if (size === null || size !== sizeOfShape(shape) || x.each) {
      return call.refuse('has slopes that are shared in a way that is not read', {
        found: `[${shape.join(', ')}]`,
        hint: 'use shared_axes=[1], or no shared axes',
      });
    }
    return [throughVector(call, x, size, (flat) => act(flat, size, read))];
  },
};

/** Lays a sequence of known length out as one vector, and the result back into steps. */
export function throughVector(call: LayerCall, x: Value, size: number, act: (flat: string) => string): Value {
  const shape = x.shape.map((dim) => dim ?? 1);
  const flat = call.node('flat', 'reshape', x.name, { attributes: { shape: [size] } });
  return call.keep(x, call.node('steps', 'reshape', act(flat), { attributes: { shape, time: true } }));
}

/** Treats the steps of a sequence of known length as features. */
export function overSteps(call: LayerCall, x: Value, act: (turned: string, steps: number) => string): Value {
  call.sequence(x);
  const steps = call.knownSteps(x);
  return call.keep(x, call.node('back', 'transpose', act(call.node('turned', 'transpose', x.name), steps)));
}

/** The axes that an option names, counted from 0, the batch. */
export function axesOf(call: LayerCall, x: Value, key = 'axis'): number[] {
  const rank = 1 + x.shape.length;
  return (call.option(key) === undefined ? [-1] : call.wholes(key)).map((axis) => (axis < 0 ? axis + rank : axis)).sort();
}

const softmax: LayerKind = {
  rowwise: true,
  call(call) {
    const x = call.input();
    if (call.mask() !== undefined) call.refuse('would mask its features by the mask of the steps');
    const axes = axesOf(call, x);
    if (axes.length !== 1) return call.odd('axis', 'one axis');
    if (axes[0] === x.shape.length) return [applyActivation(call, x, { kind: 'softmax' }, '')];
    if (axes[0] !== 1) return call.odd('axis', 'the last axis, or the steps of a sequence');
    return [overSteps(call, x, (turned) => call.node('', 'softmax', turned))];
  },
};

export const activationLayers: LayerKinds = {
  Activation: {
    rowwise: true,
    call: (call) => [applyActivation(call, call.input(), activationOf(call), '')],
  },
  ReLU: elementwise,
  LeakyReLU: elementwise,
  ELU: elementwise,
  ThresholdedReLU: elementwise,
  PReLU: prelu,
  Softmax: softmax,
};
