import { fail, type Graph, type Model, sizeOf, validate, type Weight } from '@gatefold/runtime';
import { layerAt, mapUnits, type UnitLayer, type UnitMap } from './analyse.ts';
import { sliceWeight } from './slice-weight.ts';

/**
 * The smaller model that keeps only the named units: their layers' own weights and those of everyone who reads them shrink. It
 * computes what the large one does where nobody reads the removed units.
 *
 * `kept` gives, for layers by address (the node's name; `node/output` for the outputs of a projection), the units that stay.
 * Layers that share units with these by sums or states lose theirs too.
 * @throws TARGET_EMPTY for an address without a layer; OPTION_INVALID for units that are none, that must stay (with the
 * reason), that one layer keeps and another drops, or where a layer would be left empty
 */
export function removeUnits(model: Model, kept: Readonly<Record<string, readonly number[]>>): Model {
  const map = mapUnits(model);
  const given = Object.entries(kept).map(([address, units]) => ({ layer: layerAt(map, address), units }));
  const gone = new Set(given.flatMap(({ layer, units }) => dropped(map, layer, units)));
  for (const { layer, units } of given) {
    const odd = units.find((unit) => gone.has(layer.channels[unit]!));
    if (odd !== undefined) {
      fail('OPTION_INVALID', `unit ${odd} of "${layer.address}" cannot stay: a layer that it is tied to drops it`, {
        place: layer.address,
        hint: 'layers that are added, or hand each other their states, keep the same units',
      });
    }
  }
  return removeChannels(model, map, gone);
}

/** Channels that the layer loses. */
function dropped(map: UnitMap, { address, channels }: UnitLayer, units: readonly number[]): number[] {
  const stays = new Set(units);
  const odd = units.find((unit) => !Number.isInteger(unit) || unit < 0 || unit >= channels.length);
  if (odd !== undefined || stays.size !== units.length) {
    fail('OPTION_INVALID', `the units that "${address}" keeps are not units of it, each once`, {
      place: address,
      expected: `0 … ${channels.length - 1}`,
      found: odd === undefined ? 'a unit twice' : String(odd),
    });
  }
  return channels.filter((channel, unit) => {
    if (stays.has(unit)) return false;
    const reason = map.reasonFor(channel);
    if (reason !== undefined) {
      fail('OPTION_INVALID', `unit ${unit} of "${address}" cannot be removed`, { place: address, found: reason });
    }
    return true;
  });
}

/**
 * Removes whole channels.
 * @throws OPTION_INVALID where a value would have no features left
 */
export function removeChannels(model: Model, map: UnitMap, gone: ReadonlySet<number>): Model {
  const stays = (channel: number) => !gone.has(channel);
  for (const { address, channels } of map.layers) {
    if (!channels.some(stays)) {
      fail('OPTION_INVALID', `no unit of "${address}" would be left`, {
        place: address,
        hint: 'keep at least one unit of every layer',
      });
    }
  }
  const weights = Object.fromEntries(
    Object.entries(model.weights).map(([name, weight]) => [name, shrink(weight, name, map, stays)]),
  );
  const graphs = Object.fromEntries(
    Object.entries(model.graphs).map(([name, graph]) => [name, shrinkGraph(graph, name, map, stays)]),
  );
  return validate({ ...model, graphs, weights });
}

function shrink(weight: Weight, name: string, map: UnitMap, stays: (channel: number) => boolean): Weight {
  const axes = [map.axis(name, 0), map.axis(name, 1)] as const;
  const sizes = [weight.shape[0]!, sizeOf(weight.shape.slice(1))] as const;
  if (axes.every((channels) => !channels || channels.every(stays))) return weight;
  const [rows, columns] = sizes.map((size, axis) =>
    Array.from({ length: size }, (_, i) => i).filter((i) => !axes[axis] || stays(axes[axis][i]!)),
  );
  return sliceWeight(weight, rows!, columns!);
}

function shrinkGraph(graph: Graph, name: string, map: UnitMap, stays: (channel: number) => boolean): Graph {
  return {
    ...graph,
    nodes: graph.nodes.map((node) => {
      for (const value of Object.values(node.outputs)) {
        if (!map.value(name, value).some(stays)) {
          fail('OPTION_INVALID', `nothing would be left of what "${node.name}" gives`, { place: node.name });
        }
      }
      const attributes = map.attributes(name, node.name, stays);
      return attributes ? { ...node, attributes } : node;
    }),
  };
}
