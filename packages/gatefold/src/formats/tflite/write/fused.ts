import type { Node } from '@gatefold/runtime';
import type { Interval } from '../../../compress/index.ts';
import { fusedActivations } from '../schema.ts';
import { activationOf } from './activation.ts';
import { aroundSteps, gateTensors, zeroOr } from './around-steps.ts';
import type { Emitter } from './emit.ts';

/** Number of an activation as recurrent operators take it. */
function fusedOf(emitter: Emitter, node: Node): number {
  const [kind, [slope, most, threshold]] = activationOf(node, 'activation', ['tanh']);
  const plain = kind === 'relu' && slope === 0 && threshold === 0;
  const name =
    kind === 'linear'
      ? 'NONE'
      : kind === 'tanh'
        ? 'TANH'
        : plain && most === Number.POSITIVE_INFINITY
          ? 'RELU'
          : plain && most === 6
            ? 'RELU6'
            : emitter.refuse(node, `its activation ${emitter.attribute(node, 'activation')}`);
  return fusedActivations.indexOf(name);
}

function variable(emitter: Emitter, node: Node, name: string, width: number, range?: Interval): number {
  const shape = [1, width];
  return emitter.builder.tensor({
    ...{ name: `${node.name}/${name}`, shape, type: 'FLOAT32', variable: true },
    ...(range && { range }),
  });
}

/** LSTM as one operator over all steps, its states in variables. */
export function emitLstm(emitter: Emitter, node: Node): void {
  const { builder } = emitter;
  const [recurrent] = activationOf(node, 'recurrentActivation', ['sigmoid']);
  if (recurrent !== 'sigmoid') {
    emitter.refuse(
      node,
      `gates with ${emitter.attribute(node, 'recurrentActivation')}`,
      'its LSTM has sigmoid gates only',
    );
  }
  const coupled = node.attributes.coupled === true;
  const gates = coupled ? 3 : 4;
  const units = Number(node.attributes.units);
  const features = emitter.width(node.inputs.x!);
  const R = emitter.weight(node, 'R');
  const width = R?.shape[0] ?? units;
  emitter.sameType(
    node,
    ['W', 'U', ...(R ? ['R'] : []), ...(node.weights.P === undefined || emitter.form.bits ? [] : ['P'])].map(
      (role) => ({
        role,
        kind: emitter.rows(node, role).kind,
      }),
    ),
  );
  // The file's order is i, f, g, o; ours i, f, o, g, without i where it is coupled.
  const arrange = (list: number[]): number[] => {
    const [i = -1, f, o, g] = coupled ? [-1, ...list] : list;
    return [i, f!, g!, o!];
  };
  const W = arrange(gateTensors(emitter, node, 'W', gates, [units, features]));
  const U = arrange(gateTensors(emitter, node, 'U', gates, [units, width]));
  const b = arrange(zeroOr(emitter, node, 'b', gates, units));
  const P = node.weights.P === undefined ? [-1, -1, -1] : gateTensors(emitter, node, 'P', gates - 1, [units]);
  const peepholes = P.length === 2 ? [-1, ...P] : P;
  const projection = R ? emitter.constant(node, 'R', R.shape, false) : -1;
  const inner = emitter.ranges?.steps.get(node.name);
  const states = [
    variable(emitter, node, 'h', width, inner?.states.h),
    variable(emitter, node, 'c', units, inner?.states.c),
  ];
  const isCoded = emitter.rows(node, 'W').kind === 'INT8';
  const options = {
    activation: fusedOf(emitter, node),
    cellClip: Number(node.attributes.cellClip ?? 0),
    projectionClip: 0,
    timeMajor: false,
  };
  aroundSteps(emitter, node, { width, wide: false }, (x, y) => {
    const inputs = [x, ...W, ...U, ...peepholes, ...b, projection, -1, ...states, -1, -1, -1, -1];
    // Before a projection the output has a range of its own.
    const hidden = inner && (inner.operands.get('R') ?? inner.states.h!);
    const intermediates = hidden && [emitter.between(node, 'hidden', [0], undefined, { range: hidden })];
    builder.operator('UNIDIRECTIONAL_SEQUENCE_LSTM', inputs, [y], options, isCoded ? 3 : 1, intermediates);
  });
}

/** The same for simple recurrent layers. */
export function emitRnn(emitter: Emitter, node: Node): void {
  const units = Number(node.attributes.units);
  emitter.sameType(
    node,
    ['W', 'U'].map((role) => ({ role, kind: emitter.rows(node, role).kind })),
  );
  const W = emitter.constant(node, 'W', [units, emitter.width(node.inputs.x!)], false);
  const U = emitter.constant(node, 'U', [units, units], false);
  const b = emitter.vector(node, 'b', units);
  const isCoded = emitter.rows(node, 'W').kind === 'INT8';
  aroundSteps(emitter, node, { width: units, wide: false }, (x, y) => {
    const inputs = [x, W, U, b, variable(emitter, node, 'h', units)];
    const options = { timeMajor: false, activation: fusedOf(emitter, node) };
    emitter.builder.operator('UNIDIRECTIONAL_SEQUENCE_RNN', inputs, [y], options, isCoded ? 2 : 1);
  });
}
