import { type Atoms, none } from '../channels.ts';
import type { ChannelRule, Tracing } from './types.ts';

/** New units, one per row of the node's weight. */
function makeUnits(at: Tracing, role: string, bias: string, count: number): number[] {
  const units = at.channels.fresh(count);
  at.channels.bind(at.node.weights[role]!, 0, units);
  const vector = at.node.weights[bias];
  if (vector !== undefined) at.channels.bind(vector, 0, units);
  at.layer('units', units);
  return units;
}

const dense: ChannelRule = (at) => {
  const [rows] = at.op.weight('kernel', [-1, -1]);
  at.channels.bind(at.node.weights.kernel!, 1, at.input('x'));
  return { outputs: { y: makeUnits(at, 'kernel', 'bias', rows!) } };
};

/** Learned initial states: they go with the layer that begins with them. */
const constant: ChannelRule = (at) => {
  const [width] = at.op.weight('value', [-1]);
  const y = at.channels.fresh(width!);
  at.channels.bind(at.node.weights.value!, 0, y);
  return { outputs: { y } };
};

const embedding: ChannelRule = (at) => {
  const [rows, width] = at.op.weight('table', [-1, -1]);
  at.channels.pin(at.input('x'), `${at.node.name} looks it up`);
  const tokens = at.channels.fresh(rows!);
  at.channels.pin(tokens, `${at.node.name} has a row for each token`);
  at.channels.bind(at.node.weights.table!, 0, tokens);
  const y = at.channels.fresh(width!);
  at.channels.bind(at.node.weights.table!, 1, y);
  at.layer('units', y);
  return { outputs: { y } };
};

/** Ties what stands at the same place of every group, so that groups stay equally wide. */
function tieGroups(at: Tracing, atoms: Atoms, groups: number): void {
  const size = atoms.length / groups;
  for (let g = 1; g < groups; g++) at.channels.tie(atoms.slice(0, size), atoms.slice(g * size, (g + 1) * size));
}

const conv1d: ChannelRule = (at) => {
  const x = at.input('x');
  const [rows] = at.op.weight('kernel', [-1, -1]);
  const size = at.op.whole('size', 1, 1 << 16);
  const groups = at.op.whole('groups', 1, x.length, 1);
  const y = makeUnits(at, 'kernel', 'bias', rows!);
  const perGroup = x.length / groups;
  if (groups > 1 && perGroup === 1) {
    // Depthwise: a filter goes with the feature that it reads, and a group with both.
    const each = rows! / groups;
    x.forEach((atom, g) => {
      at.channels.tie(
        Array.from({ length: each }, () => atom),
        y.slice(g * each, (g + 1) * each),
      );
    });
    at.channels.bind(
      at.node.weights.kernel!,
      1,
      Array.from({ length: size }, () => none),
    );
    return {
      outputs: { y },
      attributes: (stays) => ({ ...at.node.attributes, groups: x.filter(stays).length }),
    };
  }
  tieGroups(at, x, groups);
  tieGroups(at, y, groups);
  const tap = x.slice(0, perGroup);
  at.channels.bind(at.node.weights.kernel!, 1, Array.from({ length: size }, () => tap).flat());
  return { outputs: { y } };
};

export const linearRules: Readonly<Record<string, ChannelRule>> = { dense, constant, embedding, conv1d };
