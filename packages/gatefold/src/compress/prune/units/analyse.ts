import { type Attributes, analyse, fail, type Model, type Node, OpContext, sizeOf } from '@gatefold/runtime';
import { type Atoms, Channels, none } from './channels.ts';
import { channelRules, type UnitAxis } from './rules/index.ts';

/** Features that a node makes and that units can be removed from. */
export interface UnitLayer {
  /** The node's name for a layer's units, `node/output` for the outputs of a cell's projection. */
  readonly address: string;
  readonly graph: string;
  readonly node: Node;
  readonly axis: UnitAxis;
  /** The channel of each unit: units with the same number, here or in other layers, can only be removed together. */
  readonly channels: readonly number[];
}

/** Where every hidden unit of a model goes through. */
export interface UnitMap {
  readonly layers: readonly UnitLayer[];
  /** Channels are numbers below this. */
  readonly count: number;
  /** Why a channel must stay; undefined for those that may be removed. */
  reasonFor(channel: number): string | undefined;
  /** The channel of every index of a weight's axis (−1: of none); undefined for axes without channels. */
  axis(weight: string, axis: number): Int32Array | undefined;
  /** The channels of a value's features. */
  value(graph: string, value: string): readonly number[];
  /** A node's attributes where only some channels stay. */
  attributes(graph: string, node: string, stays: (channel: number) => boolean): Attributes | undefined;
}

/**
 * Follows the features of every value through all graphs of a model.
 * @throws what `analyse` throws for a model that is not valid
 */
export function mapUnits(model: Model): UnitMap {
  const channels = new Channels();
  const layers: Omit<UnitLayer, 'channels'>[] = [];
  const made: Atoms[] = [];
  const values = new Map<string, Atoms>();
  const shrinkers = new Map<string, (stays: (atom: number) => boolean) => Attributes>();
  const key = (graph: string, name: string) => JSON.stringify([graph, name]);
  for (const [graph, { inputs, outputs, nodes, states }] of Object.entries(model.graphs)) {
    const types = analyse(model, graph);
    for (const { name } of inputs) {
      const atoms = channels.fresh(sizeOf(types.values.get(name)!.shape));
      const state = states.some(({ input }) => input === name);
      channels.pin(atoms, state ? `state port "${name}" holds it` : `input "${name}" gives it`);
      values.set(key(graph, name), atoms);
    }
    for (const node of nodes) {
      const optional = (name: string) =>
        node.inputs[name] === undefined ? undefined : values.get(key(graph, node.inputs[name]));
      const traced = channelRules.get(node.op)!({
        node,
        channels,
        op: new OpContext(node, model, types.values, [...types.times]),
        optional,
        input: (name) => optional(name)!,
        list: () => Object.keys(node.inputs).map((_, i) => optional(String(i))!),
        layer: (axis, units) => {
          layers.push({ address: axis === 'units' ? node.name : `${node.name}/${axis}`, graph, node, axis });
          made.push(units);
        },
      });
      for (const [output, value] of Object.entries(node.outputs))
        values.set(key(graph, value), traced.outputs[output]!);
      if (traced.attributes) shrinkers.set(key(graph, node.name), traced.attributes);
    }
    for (const { name, value } of outputs) {
      const state = states.some(({ output }) => output === name);
      channels.pin(
        values.get(key(graph, value))!,
        state ? `state port "${name}" holds it` : `it reaches output "${name}"`,
      );
    }
  }
  const root = (atom: number) => (atom === none ? none : channels.rootOf(atom));
  return {
    layers: layers.map((layer, i) => ({ ...layer, channels: made[i]!.map(root) })),
    count: channels.count,
    reasonFor: (channel) => channels.reasonFor(channel),
    axis: (weight, axis) => channels.axis(weight, axis),
    value: (graph, value) => values.get(key(graph, value))!.map(root),
    attributes: (graph, node, stays) => shrinkers.get(key(graph, node))?.((atom) => stays(root(atom))),
  };
}

/** The layers that may lose units, and of the others the first reason. */
export function removable(map: UnitMap, layer: UnitLayer): { channels: readonly number[]; reason?: string } {
  const channels = [...new Set(layer.channels)].filter((channel) => map.reasonFor(channel) === undefined);
  if (channels.length > 0) return { channels };
  return { channels, reason: map.reasonFor(layer.channels[0]!)! };
}

/** @throws TARGET_EMPTY naming the layers there are */
export function layerAt(map: UnitMap, address: string): UnitLayer {
  return (
    map.layers.find((layer) => layer.address === address) ??
    fail('TARGET_EMPTY', `no layer "${address}"`, {
      expected: map.layers.map((layer) => layer.address).join(', ') || 'a model with layers',
    })
  );
}
