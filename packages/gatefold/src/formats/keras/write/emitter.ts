import {
  type Analysis,
  analyse,
  decode,
  type Encoding,
  fail,
  type Graph,
  graphOf,
  hasTime,
  type Model,
  type Node,
  staticLength,
  type ValueType,
} from '@gatefold/runtime';
import type {
  Dialect,
  Grid,
  InnerLayer,
  LayerCall,
  LayerTensor,
  LayerWeight,
  WeightValues,
  WrittenLayer,
} from './types.ts';

/** What a layer is made of beside its inputs. */
export interface LayerParts {
  readonly weights?: readonly LayerWeight[];
  readonly states?: readonly LayerTensor[];
  readonly mask?: LayerTensor;
  readonly constants?: readonly number[];
  readonly operation?: string;
  readonly inner?: InnerLayer;
  /** Layers of the same key are one layer, called again. */
  readonly key?: string | undefined;
}

/** Turns values of a graph into tensors of layers, each when it is first asked for or added. */
export class Emitter {
  readonly dialect: Dialect;
  readonly graph: Graph;
  readonly layers: WrittenLayer[] = [];
  readonly notes = new Set<string>();
  private readonly model: Model;
  private readonly analysis: Analysis;
  private readonly tensors = new Map<string, LayerTensor>();
  private readonly makers = new Map<string, () => LayerTensor>();
  private readonly backward = new Map<string, () => LayerTensor>();
  private readonly lasts = new Map<string, () => LayerTensor | undefined>();
  private readonly stripped = new Map<string, LayerTensor>();
  private readonly names = new Set<string>();
  private readonly keyed = new Map<string, WrittenLayer>();
  private readonly uses = new Map<string, Node[]>();
  private readonly producers = new Map<string, Node>();
  private readonly outputs: ReadonlySet<string>;
  private readonly hasMasks: boolean;

  constructor(model: Model, dialect: Dialect) {
    this.model = model;
    this.dialect = dialect;
    const { name, graph } = graphOf(model);
    this.graph = graph;
    this.analysis = analyse(model, name);
    this.outputs = new Set(graph.outputs.map(({ value }) => value));
    this.hasMasks = graph.nodes.some(({ inputs }) => inputs.mask !== undefined);
    for (const node of graph.nodes) {
      for (const value of Object.values(node.outputs)) this.producers.set(value, node);
      for (const value of Object.values(node.inputs)) {
        const users = this.uses.get(value);
        if (users) users.push(node);
        else this.uses.set(value, [node]);
      }
    }
  }

  /** Adds a layer, or another call of it; returns its first output. */
  add(
    className: string,
    name: string,
    config: Readonly<Record<string, unknown>>,
    inputs: readonly LayerTensor[],
    { weights = [], states = [], mask, constants = [], operation, inner, key }: LayerParts = {},
  ): LayerTensor {
    const full = key === undefined ? undefined : `${className} ${key} ${JSON.stringify([config, inner])}`;
    let layer = full === undefined ? undefined : this.keyed.get(full);
    if (!layer) {
      layer = { className, name: this.unique(name), config, weights, calls: [], inner, operation };
      this.layers.push(layer);
      if (full !== undefined) this.keyed.set(full, layer);
    }
    const call: LayerCall = { inputs, states, mask, constants };
    return { layer, call: layer.calls.push(call) - 1, output: 0 };
  }

  /** Keras allows no slashes, TensorFlow no other signs, and no two layers of one name. */
  private unique(name: string): string {
    const plain = name.replace(/[^A-Za-z0-9_.-]+/g, '_').replace(/^[^A-Za-z0-9.]+/, '') || 'layer';
    let unique = plain;
    for (let n = 1; this.names.has(unique); n++) unique = `${plain}_${n}`;
    this.names.add(unique);
    return unique;
  }

  /** The tensor of a value, with or without a mask. */
  carrying(value: string): LayerTensor {
    let tensor = this.tensors.get(value);
    if (!tensor) {
      const make =
        this.makers.get(value) ?? fail('MODEL_INVALID', 'a value is used before it is made', { place: value });
      tensor = make();
      this.tensors.set(value, tensor);
    }
    return tensor;
  }

  /** The tensor of a value without a mask. */
  plain(value: string): LayerTensor {
    const tensor = this.carrying(value);
    if (tensor.mask === undefined) return tensor;
    let plain = this.stripped.get(value);
    if (!plain) {
      plain = this.strip(tensor, value);
      this.stripped.set(value, plain);
    }
    return plain;
  }

  /** A tensor without its mask: repeating each step once loses it and nothing else. */
  strip(tensor: LayerTensor, name: string): LayerTensor {
    if (tensor.mask === undefined) return tensor;
    if (this.dialect === 'tfjs') {
      const hint = 'leave out the mask';
      fail('MODEL_UNSUPPORTED', 'a masked sequence goes where no mask is wanted, which TensorFlow.js cannot say', {
        place: this.producers.get(name)?.name ?? name,
        hint,
      });
    }
    return this.add('UpSampling1D', `${name}/unmasked`, { size: 1 }, [tensor]);
  }

  set(value: string, tensor: LayerTensor): void {
    this.tensors.set(value, tensor);
  }

  /** Says how a value is made when it is asked for. What was said first holds: a layer may take in what follows it. */
  later(value: string, make: () => LayerTensor): void {
    if (!this.makers.has(value)) this.makers.set(value, make);
  }

  /** Says how the steps of a backward layer are made in the order in which it processed them. */
  processedLater(value: string, make: () => LayerTensor): void {
    this.backward.set(value, make);
  }

  /** The steps of a backward layer in the order in which it processed them; undefined for other values. */
  processed(value: string): LayerTensor | undefined {
    return this.backward.get(value)?.();
  }

  /** Says how the last step of a sequence is made, where its layer can give it. */
  lastLater(value: string, make: () => LayerTensor | undefined): void {
    this.lasts.set(value, make);
  }

  /** The last step of a sequence from the layer that makes it; undefined where it gives none. */
  lastOf(value: string): LayerTensor | undefined {
    return this.lasts.get(value)?.();
  }

  isOutput(value: string): boolean {
    return this.outputs.has(value);
  }

  /** Whether a value is an input of ids, which Keras sees as [batch, steps]. */
  isIds(value: string): boolean {
    return this.graph.inputs.some(({ name, dtype }) => name === value && dtype === 'int32');
  }

  /** TensorFlow.js hands the mask of one layer on to all that run later: there, masks leave no layer unmasked. */
  checkUnmasked(node: Node): void {
    if (this.dialect === 'tfjs' && this.hasMasks)
      this.refuse(node, 'it has no mask, and other layers have one, which TensorFlow.js would use here too');
  }

  producer(value: string): Node | undefined {
    return this.producers.get(value);
  }

  usersOf(value: string): readonly Node[] {
    return this.uses.get(value) ?? [];
  }

  isUsed(value: string | undefined): boolean {
    return value !== undefined && (this.outputs.has(value) || this.uses.has(value));
  }

  /** The only node that uses a value, where the value is no output. */
  onlyUser(value: string): Node | undefined {
    const users = this.usersOf(value);
    return users.length === 1 && !this.outputs.has(value) ? users[0] : undefined;
  }

  type(value: string): ValueType {
    return this.analysis.values.get(value)!;
  }

  width(value: string): number {
    return this.type(value).shape.at(-1) ?? 1;
  }

  isSequence(value: string): boolean {
    return hasTime(this.analysis.times[this.type(value).time]!);
  }

  steps(value: string): number | undefined {
    return staticLength(this.analysis.times, this.type(value).time);
  }

  /** The values of a node's weight; undefined where it has none of the role. */
  weight(node: Node, role: string): WeightValues | undefined {
    const name = node.weights[role];
    if (name === undefined) return undefined;
    const weight = this.model.weights[name]!;
    const grid = gridOf(weight.encoding);
    const keeps = this.dialect === 'tfjs' && grid !== undefined;
    if (!keeps && !(weight.encoding.kind === 'dense' && weight.encoding.type === 'f32')) {
      this.notes.add(
        this.dialect === 'tfjs'
          ? 'TensorFlow.js knows one scale per weight: weights of other encodings are written as float32'
          : 'Keras has no encoding of ours: compressed weights are written as the float32 values they mean',
      );
    }
    return { shape: weight.shape, data: decode(weight), grid };
  }

  refuse(node: Node, what: string, hint?: string): never {
    const target = { keras2: 'Keras 2', keras3: 'Keras 3', tfjs: 'TensorFlow.js' }[this.dialect];
    fail('MODEL_UNSUPPORTED', `${node.op} node "${node.name}" cannot be written for ${target}: ${what}`, {
      place: node.name,
      ...(hint ? { hint } : {}),
    });
  }
}

/** The one raster of all values of an encoding, where there is one. */
function gridOf(encoding: Encoding): Grid | undefined {
  if (encoding.kind === 'dense') return encoding.type === 'f16' ? 'float16' : undefined;
  if (encoding.kind !== 'affine' || encoding.scales.length !== 1) return undefined;
  return { scale: encoding.scales[0]!, offset: encoding.offsets?.[0] ?? 0, bits: encoding.bits };
}

/** Calls of layers that stand for the same op with the same weights share them. */
export function sharingKey({ op, attributes, weights }: Node): string | undefined {
  return Object.keys(weights).length === 0 ? undefined : JSON.stringify([op, attributes, weights]);
}
