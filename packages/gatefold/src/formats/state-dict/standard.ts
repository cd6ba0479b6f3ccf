import { fail, type Model, type Node } from '@gatefold/runtime';
import type { Binding, Form } from './binding.ts';

/** Keys for a model that did not come from a state dict, and tensors that are constant. */
export interface StandardNames {
  readonly bindings: readonly Binding[];
  /** Keys of tensors of zeros, with their shapes; integers where the shape is empty. */
  readonly zeros: ReadonlyMap<string, readonly number[]>;
}

const lstmOrder = [0, 1, 3, 2];
const gruOrder = [1, 0, 2];
const normEpsilon = 1e-5;

function refuse(node: Node, message: string): never {
  return fail('MODEL_UNSUPPORTED', `PyTorch has no module for this layer: ${message}`, { place: node.name });
}

/** Names a module: PyTorch separates levels by dots. */
const moduleName = (name: string) => name.replace(/[^\w.-]+/g, '.').replace(/^\.+|\.+$/g, '') || 'layer';

class Namer {
  readonly bindings: Binding[] = [];
  readonly zeros = new Map<string, readonly number[]>();
  private readonly model: Model;

  constructor(model: Model) {
    this.model = model;
  }

  bind(node: Node, role: string, keys: readonly string[], form: Form = { kind: 'copy' }): void {
    const weight = node.weights[role];
    if (weight !== undefined) this.bindings.push({ weights: [weight], keys, form });
  }

  /** nn.LSTM, nn.GRU or nn.RNN of one level and, where `suffix` says so, of its backward direction. */
  recurrent(node: Node, path: string, suffix: string): void {
    const { cell, activation = ['tanh'], recurrentActivation = ['sigmoid'], coupled, resetAfter } = node.attributes;
    const is = (value: unknown, name: string) => Array.isArray(value) && value.length === 1 && value[0] === name;
    if (!is(activation, 'tanh') && !(cell === 'rnn' && is(activation, 'relu')))
      refuse(node, `its function is ${JSON.stringify(activation)}`);
    if (cell !== 'rnn' && !is(recurrentActivation, 'sigmoid'))
      refuse(node, `its gates are ${JSON.stringify(recurrentActivation)}`);
    if (coupled === true || node.weights.P !== undefined) refuse(node, 'coupled gates or peepholes');
    if (cell === 'gru' && resetAfter !== true) refuse(node, 'a GRU that resets before the recurrent product');
    const order =
      cell === 'lstm'
        ? lstmOrder
        : cell === 'gru'
          ? gruOrder
          : cell === 'rnn'
            ? [0]
            : refuse(node, `cell ${String(cell)}`);
    const key = (name: string) => `${path}.${name}_l0${suffix}`;
    const gates: Form = { kind: 'gates', order };
    this.bind(node, 'W', [key('weight_ih')], gates);
    this.bind(node, 'U', [key('weight_hh')], gates);
    this.bind(node, 'R', [key('weight_hr')]);
    if (cell !== 'gru') {
      this.bind(node, 'b', [key('bias_ih'), key('bias_hh')], { kind: 'gateSum', order });
      return;
    }
    this.bind(node, 'b', [key('bias_ih')], gates);
    this.bind(node, 'bR', [key('bias_hh')], gates);
    const present = node.weights.b ?? node.weights.bR;
    if (present === undefined || (node.weights.b !== undefined && node.weights.bR !== undefined)) return;
    this.zeros.set(key(node.weights.b === undefined ? 'bias_ih' : 'bias_hh'), this.model.weights[present]!.shape);
  }

  /** Any layer that is not recurrent. */
  layer(node: Node, path: string): void {
    const key = (name: string) => `${path}.${name}`;
    switch (node.op) {
      case 'dense':
        this.bind(node, 'kernel', [key('weight')]);
        break;
      case 'conv1d':
        this.bind(node, 'kernel', [key('weight')], { kind: 'taps', taps: Number(node.attributes.size) });
        break;
      case 'embedding':
        this.bind(node, 'table', [key('weight')]);
        break;
      case 'normalization':
        if (node.attributes.kind === 'rms' && node.weights.beta !== undefined) refuse(node, 'RMSNorm with an offset');
        this.bind(node, 'gamma', [key('weight')]);
        this.bind(node, 'beta', [key('bias')]);
        break;
      case 'scaleShift':
        this.scaleShift(node, key);
        break;
      case 'prelu':
        this.bind(node, 'slope', [key('weight')]);
        break;
      default:
        refuse(node, node.op);
    }
    this.bind(node, 'bias', [key('bias')]);
  }

  private scaleShift(node: Node, key: (name: string) => string): void {
    const { scale, shift } = node.weights;
    if (scale === undefined || shift === undefined) refuse(node, 'a scale or a shift alone');
    const keys = ['weight', 'bias', 'running_mean', 'running_var'].map(key);
    this.bindings.push({ weights: [scale, shift], keys, form: { kind: 'batchNorm', epsilon: normEpsilon } });
    this.zeros.set(key('num_batches_tracked'), []);
  }
}

/**
 * The keys that PyTorch's own modules would have for the layers of a model.
 * @throws MODEL_UNSUPPORTED naming the layer that PyTorch has no module for
 */
export function standardNames(model: Model): StandardNames {
  const namer = new Namer(model);
  const done = new Set<string>();
  for (const { nodes } of Object.values(model.graphs)) {
    for (const node of nodes) {
      // Layers that are called again keep their weights and their name.
      const own = Object.values(node.weights).sort().join('\n');
      if (own === '' || done.has(own)) continue;
      done.add(own);
      if (node.op !== 'recurrent') {
        namer.layer(node, moduleName(node.name));
        continue;
      }
      const pair = directionPair(nodes, node);
      namer.recurrent(
        node,
        moduleName(pair ?? node.name),
        pair !== undefined && node.name.endsWith('/backward') ? '_reverse' : '',
      );
    }
  }
  const keys = [...namer.bindings.flatMap((binding) => binding.keys), ...namer.zeros.keys()];
  const twice = keys.find((key, i) => keys.indexOf(key) !== i);
  if (twice !== undefined)
    fail('MODEL_UNSUPPORTED', 'two layers would have the same key in a state dict', { place: twice });
  return namer;
}

/** The common name of the two directions of a bidirectional layer; undefined for any other. */
function directionPair(nodes: readonly Node[], node: Node): string | undefined {
  const match = /^(.*)\/(forward|backward)$/.exec(node.name);
  if (!match) return undefined;
  const other = nodes.find(({ name }) => name === `${match[1]}/${match[2] === 'forward' ? 'backward' : 'forward'}`);
  const same = ['cell', 'units'].every((key) => other?.attributes[key] === node.attributes[key]);
  const directions = [node, other].map((one) => one?.attributes.direction ?? 'forward');
  return other &&
    same &&
    other.inputs.x === node.inputs.x &&
    directions.includes('backward') &&
    directions.includes('forward')
    ? match[1]
    : undefined;
}
