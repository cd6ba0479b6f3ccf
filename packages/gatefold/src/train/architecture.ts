import {
  type AttributeValue,
  denseWeight,
  fail,
  type Model,
  type Node,
  type Port,
  parseActivation,
  sizeOf,
  validate,
  type Weight,
} from '@gatefold/runtime';
import type { Dataset } from '../data/index.ts';
import { initialised } from './initial.ts';

const usage =
  'layers in order: embedding:WIDTH, lstm:UNITS, gru:UNITS, rnn:UNITS, bilstm:UNITS, bigru:UNITS, conv1d:FILTERS:SIZE, ' +
  'layernorm, batchnorm, dense:UNITS[:ACTIVATION]; a closing "dense" without units takes its width from the data; or the path of a file';

interface Layer {
  readonly kind: string;
  readonly given: readonly string[];
  readonly text: string;
}

/** Adds nodes and weights of a chain of layers. */
class Chain {
  readonly nodes: Node[] = [];
  readonly weights: Record<string, Weight> = {};
  value = 'x';
  width: number;
  private readonly counts = new Map<string, number>();

  constructor(width: number) {
    this.width = width;
  }

  private name(kind: string): string {
    const count = (this.counts.get(kind) ?? 0) + 1;
    this.counts.set(kind, count);
    return count === 1 ? kind : `${kind}_${count}`;
  }

  node(
    op: string,
    kind: string,
    attributes: Readonly<Record<string, AttributeValue>> = {},
    weights: Readonly<Record<string, readonly number[]>> = {},
    x = this.value,
  ): string {
    const name = this.name(kind);
    const named: Record<string, string> = {};
    for (const [role, shape] of Object.entries(weights)) {
      named[role] = `${name}/${role}`;
      this.weights[named[role]] = denseWeight(shape, new Float32Array(sizeOf(shape)));
    }
    this.nodes.push({ name, op, inputs: { x }, outputs: { y: name }, attributes, weights: named });
    this.value = name;
    return name;
  }

  embedding(vocabulary: number, width: number): void {
    this.node('embedding', 'embedding', {}, { table: [vocabulary, width] });
    this.width = width;
  }

  dense(units: number, activation?: string): void {
    this.node('dense', 'dense', {}, { kernel: [units, this.width], bias: [units] });
    this.width = units;
    if (activation) this.node('unary', activation, { function: [activation] });
  }

  recurrent(cell: string, units: number, direction: 'forward' | 'backward', x = this.value): string {
    const gates = { lstm: 4, gru: 3, rnn: 1 }[cell]!;
    return this.node(
      'recurrent',
      direction === 'backward' ? `${cell}_back` : cell,
      { cell, units, direction, ...(cell === 'gru' ? { resetAfter: true } : {}) },
      {
        W: [gates * units, this.width],
        U: [gates * units, units],
        b: [gates * units],
        ...(cell === 'gru' ? { bR: [gates * units] } : {}),
      },
      x,
    );
  }

  /** Both directions side by side: at every step, or (`ends`) after the last step that each takes. */
  bidirectional(cell: string, units: number, ends: boolean): void {
    const x = this.value;
    let forward = this.recurrent(cell, units, 'forward', x);
    let backward = this.recurrent(cell, units, 'backward', x);
    if (ends) {
      forward = this.node('last', 'last', {}, {}, forward);
      // Backward in time the last step taken stands first.
      backward = this.node('last', 'last', {}, {}, this.node('reverse', 'reverse', {}, {}, backward));
    }
    const name = this.name('concat');
    this.nodes.push({
      ...{ name, op: 'concat', attributes: {}, weights: {} },
      inputs: { 0: forward, 1: backward },
      outputs: { y: name },
    });
    this.value = name;
    this.width = 2 * units;
  }
}

/**
 * A new model for the data, from a line such as "embedding:64 lstm:256 dense", its weights initialised.
 * @throws OPTION_INVALID naming the layer
 */
export function modelFor(architecture: string, dataset: Dataset, seed = 1): Model {
  const layers = architecture
    .trim()
    .split(/[\s,>]+/)
    .map((text): Layer => {
      const [kind = '', ...given] = text.split(':');
      return { kind: kind.toLowerCase(), given, text };
    });
  const [entry, ...more] = Object.entries(dataset.inputs);
  if (!entry || more.length > 0) {
    fail('OPTION_INVALID', 'a line of layers makes models of one input', {
      place: '--arch',
      found: Object.keys(dataset.inputs).join(', '),
    });
  }
  const [name, { shape, data }] = entry;
  const ids = layers[0]?.kind === 'embedding';
  const port: Port = {
    name,
    shape: ids ? ['batch', 'time'] : ['batch', 'time', shape[2] ?? 1],
    dtype: ids ? 'int32' : 'float32',
  };
  const chain = new Chain(ids ? 1 : (shape[2] ?? 1));
  chain.value = name;
  const classes = classesOf(dataset);
  layers.forEach((layer, i) => {
    // One answer per sequence: what follows the last recurrent layer sees its last step alone.
    const ends = isRecurrent(layer) && !layers.slice(i + 1).some(isRecurrent) && oneAnswer(dataset);
    addLayer(chain, layer, { first: i === 0, vocabulary: () => vocabularyOf(dataset, data), outputs: classes, ends });
  });
  if (layers.at(-1)?.kind !== 'dense') invalid(layers.at(-1)!, 'the last layer must be dense');
  if (dataset.task === 'binary') chain.node('unary', 'sigmoid', { function: ['sigmoid'] });
  else if (dataset.task !== 'regress') chain.node('softmax', 'softmax');
  const model = validate({
    name: 'trained',
    graphs: {
      main: {
        inputs: [port],
        outputs: [{ name: 'y', value: chain.value }],
        nodes: chain.nodes,
        states: [],
      },
    },
    weights: chain.weights,
    metadata: {
      ...metadataOf(dataset),
      ...(dataset.task === 'transcribe' ? { blank: dataset.blank ?? classes - 1 } : {}),
    },
  });
  return initialised(model, seed);
}

/** What the data say that whoever runs the model must know: its symbols or labels, how sounds became features. */
export function metadataOf({ classes, frontEnd, task }: Dataset): Readonly<Record<string, unknown>> {
  return {
    ...(classes ? { [task === 'language' ? 'vocabulary' : 'labels']: classes } : {}),
    ...(frontEnd ? { frontEnd: { ...frontEnd } } : {}),
  };
}

const isRecurrent = ({ kind }: Layer) => /^(bi)?(lstm|gru|rnn)$/.test(kind);

function invalid({ text }: Layer, message: string): never {
  return fail('OPTION_INVALID', message, { place: '--arch', expected: usage, found: text });
}

function addLayer(
  chain: Chain,
  layer: Layer,
  about: { first: boolean; vocabulary: () => number; outputs: number; ends: boolean },
): void {
  const { first, vocabulary, outputs, ends } = about;
  const { kind, given } = layer;
  const whole = (index: number, otherwise?: number): number => {
    const value = given[index] === undefined ? otherwise : Number(given[index]);
    if (value === undefined || !Number.isInteger(value) || value < 1 || value > 65536) {
      return invalid(layer, `layer "${layer.text}" needs a whole number`);
    }
    return value;
  };
  if (given.length > 2) invalid(layer, `layer "${layer.text}" has too many numbers`);
  const [, both, cell] = /^(bi)?(lstm|gru|rnn)$/.exec(kind) ?? [];
  if (cell && both) chain.bidirectional(cell, whole(0), ends);
  else if (cell) {
    chain.recurrent(cell, whole(0), 'forward');
    chain.width = whole(0);
    if (ends) chain.node('last', 'last');
  } else if (kind === 'embedding' && first) chain.embedding(vocabulary(), whole(0));
  else if (kind === 'conv1d') {
    const size = whole(1, 3);
    const kernel = [whole(0), size * chain.width];
    // Causal, so that the model streams.
    chain.node('conv1d', 'conv1d', { size, padding: [size - 1, 0] }, { kernel, bias: [whole(0)] });
    chain.width = whole(0);
  } else if (kind === 'layernorm') {
    const weights = { gamma: [chain.width], beta: [chain.width] };
    chain.node('normalization', 'layernorm', { kind: 'layer', epsilon: 1e-5 }, weights);
  } else if (kind === 'batchnorm') {
    const weights = { scale: [chain.width], shift: [chain.width] };
    chain.node('scaleShift', 'statistics', { epsilon: 1e-5 }, weights);
    chain.node('scaleShift', 'batchnorm', {}, weights);
  } else if (kind === 'dense') {
    const activation = given[1];
    if (activation !== undefined && !parseActivation([activation]))
      invalid(layer, `unknown activation "${activation}"`);
    chain.dense(given[0] === undefined ? outputs : whole(0), activation);
  } else invalid(layer, `unknown layer "${layer.text}"`);
}

/** Whether targets stand for every output rather than for the right one. */
const hasVectors = (task: Dataset['task']) => task === 'regress' || task === 'binary';

function oneAnswer({ task, inputs, targets }: Dataset): boolean {
  if (task === 'classify') return true;
  const steps = Object.values(inputs)[0]!.shape[1];
  return hasVectors(task) && !(targets && targets.shape.length > 2 && targets.shape[1] === steps);
}

function classesOf({ task, targets, classes, blank }: Dataset): number {
  if (!targets) return classes?.length ?? 1;
  if (hasVectors(task)) return targets.shape.length === 1 ? 1 : targets.shape.at(-1)!;
  const known = classes?.length ?? 1 + targets.data.reduce((most, label) => Math.max(most, label), 0);
  if (task !== 'transcribe') return known;
  // Without a number of its own the blank comes after the labels.
  return blank === undefined ? known + 1 : Math.max(known, blank + 1);
}

function vocabularyOf({ task, classes }: Dataset, data: Float32Array): number {
  return task === 'language' && classes ? classes.length : 1 + data.reduce((most, id) => Math.max(most, id), 0);
}
