import { activationAttribute } from '../../graph-builder.ts';
import { biasOf, blockOf, type Network } from '../cells/network.ts';
import type { Chain, Step } from '../cells/types.ts';
import { sequenceOf, signalOf } from '../coerce.ts';
import { isZero } from '../constant.ts';
import type { Lift } from '../lift.ts';
import { innerSize } from '../lift.ts';
import type { Lifted, Operation } from '../lifted.ts';
import { whole } from '../pieces.ts';
import { allSteps } from './join.ts';
import type { Handler } from './types.ts';

/** The sequence whose steps a cell's inputs are, and whether they come last step first. */
function sequence(lift: Lift, operation: Operation, xs: readonly Lifted[]): { x: string; backward: boolean } {
  const steps = xs.length > 1 ? allSteps(xs) : undefined;
  if (steps) return { x: steps.value, backward: steps.backward };
  const rows = xs.map((x) => {
    if (x.kind !== 'signal') lift.refuse(operation, 'takes something else than steps of a sequence');
    const signal = whole(lift, operation, x);
    if (signal.time !== -1) lift.refuse(operation, 'takes several steps at once');
    return signal;
  });
  const width = innerSize(lift, rows[0]!.value);
  if (rows.length === 1) {
    const signal = { ...rows[0]!, shape: [1, 1, width] };
    return { x: sequenceOf(lift, operation, signal, { steps: 1, features: 2 }), backward: false };
  }
  const values = Object.fromEntries(rows.map(({ value }, i) => [String(i), value]));
  const x = lift.node(operation, 'concat', values);
  const shape = [rows.length, width];
  return { x: lift.node(operation, 'reshape', { x }, { shape, time: true }), backward: false };
}

/** Weights of a step in our order, biases of one gate added up. */
function weightsOf(lift: Lift, network: Network, step: Step, name: string): Record<string, string> {
  const units = network.graph.tensors[step.results.h!]!.shape.at(-1)!;
  const vector = (role: string, biases: Step['b']) => {
    const values = biases.map((of) => biasOf(network, of, units) ?? new Float32Array(units));
    const blocks = values.map((data) => ({ constant: lift.fold(`${name}/${role}`, [units], data, 'FLOAT32') }));
    return lift.weight(`${name}/${role}`, blocks, true);
  };
  const blocks = (terms: Step['W']) => terms.map((term) => blockOf(network, term));
  return {
    W: lift.weight(`${name}/W`, blocks(step.W)),
    U: lift.weight(`${name}/U`, blocks(step.U)),
    b: vector('b', step.b),
    ...(step.bR ? { bR: vector('bR', step.bR) } : {}),
  };
}

/** A recognised recurrent layer; see `foldCells`. */
const cell: Handler = (lift, operation) => {
  const { steps, initial } = operation.cell as Chain;
  // The first step may lack what is zero in it.
  const first = steps.at(-1)!;
  const names = Object.keys(first.states);
  const inputs = operation.inputs.map((_, i) => lift.input(operation, i));
  const { x, backward } = sequence(lift, operation, inputs.slice(0, steps.length));
  const name = lift.nodeName(operation);
  const { network } = lift;
  const weights = weightsOf(lift, network, first, name);
  const units = lift.builder.weights[weights.U!]!.shape[1]!;
  const given: Record<string, string> = { x };
  const bound: { role: string; pieces: Extract<Lifted, { kind: 'pieces' }> }[] = [];
  initial.forEach((role, i) => {
    const state = inputs[steps.length + i]!;
    if (state.kind === 'constant') {
      if (!isZero(state)) lift.refuse(operation, `its initial state ${role} is constant and not zero`);
    } else if (state.kind === 'pieces') bound.push({ role, pieces: state });
    else given[role] = whole(lift, operation, state).value;
  });
  const attributes = {
    cell: first.kind,
    units,
    activation: activationAttribute(first.attributes.activation),
    ...(first.attributes.recurrentActivation
      ? { recurrentActivation: activationAttribute(first.attributes.recurrentActivation) }
      : {}),
    ...(first.attributes.resetAfter ? { resetAfter: true } : {}),
    ...(backward ? { direction: 'backward' } : {}),
  };
  const out = lift.builder.add('recurrent', name, given, attributes, weights, ['y', ...names]);
  for (const { role, pieces } of bound)
    lift.bindState({ pieces, values: role === 'h' ? [out.y!, out.h!] : [out[role]!] }, operation);
  const of = steps.length;
  operation.outputs.forEach((output, i) => {
    const step = of === 1 || i >= of ? {} : { step: { at: backward ? of - 1 - i : i, of } };
    const value = i < of ? out.y! : out[names.filter((role) => role !== 'h')[i - of]!]!;
    lift.set(output, { kind: 'signal', value, shape: [1, units], time: -1, ...step });
  });
};

const layerNorm: Handler = (lift, operation) => {
  const signal = whole(lift, operation, signalOf(lift, operation, 0));
  const attributes = { kind: 'layer', epsilon: Number(operation.options.epsilon) };
  const value = lift.node(operation, 'normalization', { x: signal.value }, attributes);
  lift.set(operation.outputs[0]!, { ...signal, value });
};

export const cellHandlers: Readonly<Record<string, Handler>> = { cell, 'layer norm': layerNorm };
