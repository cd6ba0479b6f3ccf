import { type AttributeValue, fail } from '@gatefold/runtime';
import type { GraphBuilder } from '../graph-builder.ts';
import type { ArchitectureLayer } from './architecture.ts';
import type { Form } from './binding.ts';
import type { Supply } from './supply.ts';

export type RecurrentLayer = Extract<ArchitectureLayer, { type: 'lstm' | 'gru' | 'rnn' }>;

/** A layer's sequence and, of its last level, the states after the last step of each direction. */
export interface RecurrentResult {
  readonly y: string;
  readonly states: readonly string[];
}

const gatesOfModel: Readonly<Record<RecurrentLayer['type'], readonly string[]>> = {
  lstm: ['input', 'forget', 'output', 'candidate'],
  gru: ['update', 'reset', 'candidate'],
  rnn: ['candidate'],
};
/** PyTorch stacks i, f, g, o and r, z, n. */
const gatesOfTorch: Readonly<Record<RecurrentLayer['type'], readonly string[]>> = {
  lstm: ['input', 'forget', 'candidate', 'output'],
  gru: ['reset', 'update', 'candidate'],
  rnn: ['candidate'],
};

interface CellKeys {
  readonly input: string;
  readonly recurrent: string;
  readonly bias?: string | undefined;
  readonly recurrentBias?: string | undefined;
  readonly projection?: string | undefined;
}

/** Levels of a stack, each with its directions: keys as nn.LSTM, nn.LSTMCell or the architecture name them. */
function levelsOf(layer: RecurrentLayer, supply: Supply): CellKeys[][] {
  if (layer.keys) return [[layer.keys]];
  const prefix = layer.weights === '' ? '' : `${layer.weights}.`;
  const keysOf = (suffix: string): CellKeys => {
    const optional = (name: string) => (supply.has(prefix + name + suffix) ? prefix + name + suffix : undefined);
    return {
      input: `${prefix}weight_ih${suffix}`,
      recurrent: `${prefix}weight_hh${suffix}`,
      bias: optional('bias_ih'),
      recurrentBias: optional('bias_hh'),
      projection: optional('weight_hr'),
    };
  };
  if (supply.has(`${prefix}weight_ih`)) return [[keysOf('')]];
  const levels: CellKeys[][] = [];
  do {
    const suffix = `_l${levels.length}`;
    const reverse = supply.has(`${prefix}weight_ih${suffix}_reverse`);
    levels.push(reverse ? [keysOf(suffix), keysOf(`${suffix}_reverse`)] : [keysOf(suffix)]);
  } while (supply.has(`${prefix}weight_ih_l${levels.length}`));
  return levels;
}

/**
 * Adds the nodes of nn.LSTM, nn.GRU, nn.RNN or one of their cells run over the steps: levels in a chain, the two
 * directions of a level side by side.
 * @throws MODEL_SHAPE, OPTION_INVALID naming the layer
 */
export function addRecurrent(
  builder: GraphBuilder,
  supply: Supply,
  layer: RecurrentLayer,
  name: string,
  x: string,
): RecurrentResult {
  const levels = levelsOf(layer, supply);
  let result: RecurrentResult = { y: x, states: [] };
  levels.forEach((directions, level) => {
    const base = levels.length > 1 ? `${name}/${level}` : name;
    if (directions.length > 1 && layer.direction !== undefined) {
      fail('OPTION_INVALID', 'a bidirectional layer has no direction of its own', { place: name });
    }
    const parts = directions.map((keys, i) => {
      const own = directions.length > 1 ? `${base}/${i === 0 ? 'forward' : 'backward'}` : base;
      const backward = i === 1 || layer.direction === 'backward';
      return addCell(builder, supply, { layer, keys, name: own, x: result.y, backward });
    });
    result =
      parts.length === 1
        ? { y: parts[0]!.y, states: [parts[0]!.h] }
        : {
            y: builder.add('concat', base, { 0: parts[0]!.y, 1: parts[1]!.y }).y!,
            states: parts.map(({ h }) => h),
          };
  });
  return result;
}

function addCell(
  builder: GraphBuilder,
  supply: Supply,
  at: { layer: RecurrentLayer; keys: CellKeys; name: string; x: string; backward: boolean },
): { y: string; h: string } {
  const { layer, keys, name, x, backward } = at;
  const { type, transposed = false } = layer;
  const input = supply.tensor(keys.input, 2, name).shape;
  const recurrent = supply.tensor(keys.recurrent, 2, name).shape;
  const order = orderOf(layer, name);
  const [rows, columns] = transposed ? [recurrent[1]!, recurrent[0]!] : [recurrent[0]!, recurrent[1]!];
  const units = keys.projection ? supply.tensor(keys.projection, 2, name).shape[1]! : columns;
  if (rows !== order.length * units || (transposed ? input[1] : input[0]) !== rows) {
    fail('MODEL_SHAPE', `the weights are not those of ${type === 'rnn' ? 'an' : 'a'} ${type.toUpperCase()}`, {
      place: `${name}: ${keys.recurrent}`,
      expected: `${order.length} gates of ${units} units`,
      found: `[${input.join(', ')}] and [${recurrent.join(', ')}]`,
    });
  }
  const gates: Form = { kind: 'gates', order, ...(transposed ? { transposed } : {}) };
  const weights: Record<string, string> = {
    W: supply.weight(`${name}/W`, [keys.input], gates),
    U: supply.weight(`${name}/U`, [keys.recurrent], gates),
    ...biases(supply, at, order, rows),
    ...(keys.projection ? { R: supply.weight(`${name}/R`, [keys.projection], { kind: 'copy' }) } : {}),
  };
  const nonlinearity = layer.type === 'rnn' ? (layer.nonlinearity ?? 'tanh') : 'tanh';
  const attributes: Record<string, AttributeValue> = {
    cell: type,
    units,
    activation: [nonlinearity],
    ...(type === 'rnn' ? {} : { recurrentActivation: ['sigmoid'] }),
    ...(type === 'gru' ? { resetAfter: true } : {}),
    ...(backward ? { direction: 'backward' } : {}),
  };
  const outputs = type === 'lstm' ? ['y', 'h', 'c'] : ['y', 'h'];
  const out = builder.add('recurrent', name, { x }, attributes, weights, outputs);
  return { y: out.y!, h: out.h! };
}

/** A GRU has two biases, of which the second is inside of the reset; elsewhere their sum is all that counts. */
function biases(
  supply: Supply,
  { layer, keys, name }: { layer: RecurrentLayer; keys: CellKeys; name: string },
  order: readonly number[],
  rows: number,
): Record<string, string> {
  const present = [keys.bias, keys.recurrentBias].filter((key) => key !== undefined);
  for (const key of present) {
    const { shape } = supply.tensor(key, 1, name);
    if (shape[0] !== rows) {
      fail('MODEL_SHAPE', 'a bias does not fit its layer', {
        place: `${name}: ${key}`,
        expected: `[${rows}]`,
        found: `[${shape.join(', ')}]`,
      });
    }
  }
  if (layer.type === 'gru') {
    const one = (role: string, key: string | undefined): Record<string, string> =>
      key === undefined ? {} : { [role]: supply.weight(`${name}/${role}`, [key], { kind: 'gates', order }) };
    return { ...one('b', keys.bias), ...one('bR', keys.recurrentBias) };
  }
  if (present.length === 0) return {};
  const form: Form = present.length === 2 ? { kind: 'gateSum', order } : { kind: 'gates', order };
  return { b: supply.weight(`${name}/b`, present, form) };
}

/** The file's block of each gate of the model. */
function orderOf({ type, gates }: RecurrentLayer, name: string): number[] {
  const stored: readonly string[] = gates ?? gatesOfTorch[type];
  const order = gatesOfModel[type].map((gate) => stored.indexOf(gate));
  if (order.includes(-1) || stored.length !== order.length) {
    fail('OPTION_INVALID', 'the gates are not those of the cell', {
      place: name,
      expected: gatesOfModel[type].join(', '),
      found: stored.join(', '),
    });
  }
  return order;
}
