import { createSession, decode, type Model, type Node, simd128Engine, type Weight } from '@gatefold/runtime';
import { randomSource } from '../../../../runtime/test/support/random.ts';
import { mapUnits, removable, type UnitMap } from '../../../src/compress/prune/units/analyse.ts';
import { exchangeable, reorderChannels } from '../../../src/compress/prune/units/reorder.ts';
import { difference, randomInputs } from '../../formats/onnx-support.ts';

/** Columns of every weight that belong to removed channels, set to zero: nobody hears of these units any more. */
export function maskChannels(model: Model, map: UnitMap, gone: ReadonlySet<number>): Model {
  const weights: Record<string, Weight> = Object.fromEntries(
    Object.entries(model.weights).map(([name, weight]) => {
      const columns = map.axis(name, 1);
      return [name, columns ? zeroColumns(weight, (column) => gone.has(columns[column]!)) : weight];
    }),
  );
  return { ...model, weights };
}

/** The weight as float32, with columns set to zero. */
export function zeroColumns(weight: Weight, gone: (column: number) => boolean): Weight {
  const values = decode(weight).slice();
  const width = values.length / weight.shape[0]!;
  for (let i = 0; i < values.length; i++) if (gone(i % width)) values[i] = 0;
  return { ...weight, encoding: { kind: 'dense', type: 'f32', values } };
}

/** About a share of the channels that may be removed; something of every layer and value stays. */
export function someChannels(model: Model, share: number, seed: number): { map: UnitMap; gone: Set<number> } {
  const map = mapUnits(model);
  const random = randomSource(seed);
  const gone = new Set(
    map.layers.flatMap((layer) => [...removable(map, layer).channels]).filter(() => random() < share),
  );
  const keepOne = (channels: readonly number[]) => {
    if (channels.every((channel) => gone.has(channel))) gone.delete(channels[Math.floor(random() * channels.length)]!);
  };
  for (const { channels } of map.layers) keepOne(channels);
  for (const [name, { nodes }] of Object.entries(model.graphs)) {
    for (const node of nodes) for (const value of Object.values(node.outputs)) keepOne(map.value(name, value));
  }
  return { map, gone };
}

/** The model with its units in a random order, and how many of them moved. */
export function shuffleUnits(model: Model, seed: number): { model: Model; moved: number } {
  const map = mapUnits(model);
  const random = randomSource(seed);
  const from = new Map(
    exchangeable(model, map).flatMap((set) => {
      const order = set.map((channel) => ({ channel, at: random() })).sort((a, b) => a.at - b.at);
      return set.map((channel, i) => [channel, order[i]!.channel] as const);
    }),
  );
  return {
    model: reorderChannels(model, map, (channel) => from.get(channel) ?? channel),
    moved: [...from].filter(([to, channel]) => to !== channel).length,
  };
}

/** The largest difference between the outputs of two models on the same random inputs. */
export function outputDifference(a: Model, b: Model): number {
  const inputs = randomInputs(a);
  const [first, second] = [a, b].map((model) => {
    const session = createSession(model, { engine: simd128Engine });
    return session.run(inputs, { batch: 2 });
  });
  return Math.max(...Object.keys(first!).map((port) => difference(second![port]!.data, first![port]!.data)));
}

/** A node, its roles under weights named `name/role`. */
export function nodeOf(
  name: string,
  op: string,
  inputs: Node['inputs'],
  weights: readonly string[] = [],
  attributes: Node['attributes'] = {},
): Node {
  return {
    ...{ name, op, inputs, attributes },
    outputs: { y: `${name}.y` },
    weights: Object.fromEntries(weights.map((role) => [role, `${name}/${role}`])),
  };
}
