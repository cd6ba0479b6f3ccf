import { type Cell, type CellOptions, type CellWeight, cells } from '../../cells/index.ts';
import { showValue } from '../../errors/index.ts';
import type { OpContext, OpDefinition, ValueType } from '../context.ts';
import type { Model, Node } from '../types.ts';

/** The cell of a recurrent node and the options its attributes and weights give. */
export function cellOf(context: OpContext): { cell: Cell; options: CellOptions } {
  const { node } = context;
  const cell = typeof node.attributes.cell === 'string' ? cells.get(node.attributes.cell) : undefined;
  if (!cell) {
    context.refuse('MODEL_UNSUPPORTED', 'unknown cell', {
      expected: [...cells.keys()].join(' | '),
      found: showValue(node.attributes.cell),
    });
  }
  const units = context.whole('units', 1, 1 << 16);
  const options: CellOptions = {
    units,
    activation: context.activation('activation', ['tanh']),
    recurrentActivation: context.activation('recurrentActivation', ['sigmoid']),
    resetAfter: context.flag('resetAfter'),
    coupled: context.flag('coupled'),
    ...(node.attributes.clip === undefined ? {} : { clip: clipOf(context) }),
    ...lstmBound(context, 'cellClip'),
    ...lstmBound(context, 'inputClip'),
    has: (role) => node.weights[role] !== undefined,
    outputWidth: node.weights.R === undefined ? units : context.weight('R', [-1, units])[0]!,
  };
  return { cell, options };
}

function clipOf(context: OpContext): number {
  const clip = context.real('clip');
  return clip > 0 ? clip : context.refuse('MODEL_INVALID', 'clip must be positive', { found: String(clip) });
}

function lstmBound(context: OpContext, name: 'cellClip' | 'inputClip'): Partial<CellOptions> {
  if (context.node.attributes[name] === undefined) return {};
  const bound = context.real(name);
  if (bound <= 0 || context.node.attributes.cell !== 'lstm') {
    context.refuse('MODEL_INVALID', `attribute "${name}" is a positive number of an lstm`, { found: String(bound) });
  }
  return { [name]: bound };
}

/** Shape of a cell's weight, [rows, columns] or [rows]. */
function cellWeightShape(weight: CellWeight, { units, outputWidth }: CellOptions, features: number): number[] {
  const rows = { units, output: outputWidth, one: 1 }[weight.rows] * (weight.gates?.length ?? 1);
  if (!weight.columns) return [rows];
  return [rows, { features, units, output: outputWidth }[weight.columns]];
}

/** Gates stacked along the rows of a node's weight; undefined where the weight has none. */
export function gatesOf(node: Node, role: string): readonly string[] | undefined {
  const cell = cells.get(String(node.attributes.cell));
  if (node.op !== 'recurrent' || !cell) return undefined;
  const resetAfter = node.attributes.resetAfter === true;
  const coupled = node.attributes.coupled === true;
  const options: CellOptions = {
    units: Number(node.attributes.units),
    outputWidth: Number(node.attributes.units),
    activation: ['tanh'],
    recurrentActivation: ['sigmoid'],
    resetAfter,
    coupled,
    has: (name) => node.weights[name] !== undefined,
  };
  return cell.weights(options).find((weight) => weight.role === role)?.gates;
}

/** Every use of a weight in a model, as node, role and the gates of its rows. */
export function usesOf(model: Model): { graph: string; node: Node; role: string; weight: string }[] {
  return Object.entries(model.graphs).flatMap(([graph, { nodes }]) =>
    nodes.flatMap((node) => Object.entries(node.weights).map(([role, weight]) => ({ graph, node, role, weight }))),
  );
}

/**
 * A recurrent layer over [batch, time, features]. `y` holds the output of every step in the order of its input; `h`
 * and `c` the states after the last step processed. Inputs `h` and `c` give initial states, `mask` the steps to skip.
 */
export const recurrent: OpDefinition = {
  op: 'recurrent',
  inputs: ['x', 'mask', 'h', 'c'],
  outputs: ['y', 'h', 'c'],
  weights: 'cell',
  attributes: [
    'cell',
    'units',
    'direction',
    'activation',
    'recurrentActivation',
    'resetAfter',
    'coupled',
    'clip',
    'cellClip',
    'inputClip',
    'stateful',
    'zeroOutputForMask',
  ],
  infer(context) {
    const x = context.requireTime(context.input('x'));
    const { cell, options } = cellOf(context);
    const features = context.width(x);
    const last = context.time({ kind: 'last', of: x.time });
    const known = cell.weights(options);
    for (const weight of known) {
      const shape = cellWeightShape(weight, options, features);
      if (weight.optional) context.optionalWeight(weight.role, shape);
      else context.weight(weight.role, shape);
      if (weight.columns && options.has(weight.role)) context.macsPerRow += shape[0]! * shape[1]!;
    }
    for (const role of Object.keys(context.node.weights)) {
      if (!known.some((weight) => weight.role === role)) {
        context.refuse('MODEL_INVALID', `a ${cell.name} with these options has no weight "${role}"`);
      }
    }
    if (context.optional('mask')) context.sameTime([x, context.input('mask')]);
    const out: Record<string, ValueType> = {
      y: { time: x.time, shape: [options.outputWidth], dtype: 'float32' },
    };
    for (const { name, width } of cell.states) {
      const shape = [width === 'output' ? options.outputWidth : options.units];
      const initial = context.optional(name);
      if (initial) {
        if (context.width(initial) !== shape[0]) {
          context.refuse('MODEL_SHAPE', `initial state "${name}" does not fit`, {
            expected: `[batch, ${shape[0]}]`,
            found: context.show(initial),
          });
        }
        context.needsWhole('its initial state is given with the sequence');
      }
      out[name] = { time: last, shape, dtype: 'float32' };
    }
    context.flag('stateful');
    context.flag('zeroOutputForMask');
    if (context.word('direction', ['forward', 'backward'], 'forward') === 'backward') {
      context.needsWhole('it runs backward in time');
    }
    return out;
  },
};
