import { cellOf } from '@gatefold/runtime';
import { pinMask } from './elementwise.ts';
import type { ChannelRule } from './types.ts';

/**
 * A recurrent layer, of any cell: its file states which rows and columns of which weights are units, outputs and features.
 * Where no weight makes outputs out of units, they are the same.
 */
export const recurrent: ChannelRule = (at) => {
  const { cell, options } = cellOf(at.op);
  const weights = cell.weights(options).filter(({ role }) => options.has(role));
  const projected = weights.some(({ rows }) => rows === 'output');
  const units = at.channels.fresh(options.units);
  const output = projected ? at.channels.fresh(options.outputWidth) : units;
  const widths = { units, output, features: at.input('x') };
  for (const { role, gates, rows, columns } of weights) {
    const weight = at.node.weights[role]!;
    if (rows !== 'one') {
      at.channels.bind(...[weight, 0], Array.from({ length: gates?.length ?? 1 }, () => widths[rows]).flat());
    }
    if (columns) at.channels.bind(weight, 1, widths[columns]);
  }
  pinMask(at);
  at.layer('units', units);
  if (projected) at.layer('output', output);
  const outputs: Record<string, readonly number[]> = { y: output };
  for (const { name, width } of cell.states) {
    outputs[name] = widths[width];
    const initial = at.optional(name);
    if (initial) at.channels.tie(widths[width], initial);
  }
  return {
    outputs,
    attributes: (stays) => ({ ...at.node.attributes, units: units.filter(stays).length }),
  };
};
