import type { Node } from '@gatefold/runtime';
import { fusedActivations } from '../schema.ts';
import { activationOf, emitActivation } from './activation.ts';
import type { Emitter } from './emit.ts';
import { constantTensor, rowsOf } from './weights.ts';

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

/** The matrices of the gates of a weight, and vectors, as constants of their own. */
function gateTensors(emitter: Emitter, node: Node, role: string, count: number, shape: readonly number[]): number[] {
  const name = node.weights[role]!;
  const weight = emitter.model.weights[name]!;
  const rows = weight.shape[0]! / count;
  return Array.from({ length: count }, (_, gate) =>
    constantTensor(
      emitter.builder,
      `${name}/${gate}`,
      shape,
      rowsOf(weight, name, gate * rows, (gate + 1) * rows),
      false,
    ),
  );
}

function zeroOr(emitter: Emitter, node: Node, role: string, count: number, units: number): number[] {
  if (node.weights[role] !== undefined) return gateTensors(emitter, node, role, count, [units]);
  return Array.from({ length: count }, (_, gate) =>
    emitter.builder.floats(`${node.name}/${role}/${gate}`, [units], new Float32Array(units)),
  );
}

function variable(emitter: Emitter, node: Node, name: string, width: number): number {
  return emitter.builder.tensor({ name: `${node.name}/${name}`, shape: [1, width], type: 'FLOAT32', variable: true });
}

/** Steps in reverse order. */
function reversed(emitter: Emitter, node: Node, x: number, value: string, suffix: string): number {
  const { shape, signature } = emitter.shapeOf(value);
  const width = emitter.builder.shapeOf(x).at(-1)!;
  const dims = shape.with(-1, width);
  const y = emitter.between(node, suffix, dims, signature?.with(-1, width));
  emitter.builder.operator('REVERSE_V2', [x, emitter.builder.ints(`${node.name}/${suffix}/axis`, [1])], [y]);
  return y;
}

/** Runs `cell` over x, backward where the node does, and shows its outputs as the node's. */
function aroundSteps(emitter: Emitter, node: Node, width: number, cell: (x: number, y: number) => void): void {
  const { x: value, mask, h, c } = node.inputs;
  if (mask !== undefined) emitter.refuse(node, 'masked steps');
  if (h !== undefined || c !== undefined) emitter.refuse(node, 'initial states that are given with the sequence');
  if (node.outputs.c !== undefined) emitter.refuse(node, 'its cell state as an output');
  const backward = node.attributes.direction === 'backward';
  const given = emitter.tensorOf(value!);
  const x = backward ? reversed(emitter, node, given, value!, 'reversed') : given;
  const { shape, signature } = emitter.shapeOf(value!);
  const dims = shape.with(-1, width);
  const all = emitter.between(node, backward ? 'processed' : 'sequence', dims, signature?.with(-1, width));
  cell(x, all);
  if (node.outputs.h !== undefined) emitLast(emitter, node, all, emitter.define(node.outputs.h));
  if (node.outputs.y === undefined) return;
  emitter.alias(node.outputs.y, backward ? reversed(emitter, node, all, value!, 'in order') : all);
}

/** The last step of a sequence. */
export function emitLast(emitter: Emitter, node: Node, x: number, y: number): void {
  const { builder } = emitter;
  const list = (what: string, values: number[]) => builder.ints(`${node.name}/${what}`, values);
  const inputs = [x, list('begin', [0, -1, 0]), list('end', [0, 0, 0]), list('strides', [1, 1, 1])];
  builder.operator('STRIDED_SLICE', inputs, [y], { beginMask: 5, endMask: 7, shrinkAxisMask: 2 });
}

function emitLstm(emitter: Emitter, node: Node): void {
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
    ['W', 'U', ...(R ? ['R'] : []), ...(node.weights.P === undefined ? [] : ['P'])].map((role) => ({
      role,
      kind: emitter.rows(node, role).kind,
    })),
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
  const states = [variable(emitter, node, 'h', width), variable(emitter, node, 'c', units)];
  const isCoded = emitter.rows(node, 'W').kind === 'INT8';
  const options = {
    activation: fusedOf(emitter, node),
    cellClip: Number(node.attributes.cellClip ?? 0),
    projectionClip: 0,
    timeMajor: false,
  };
  aroundSteps(emitter, node, width, (x, y) => {
    const inputs = [x, ...W, ...U, ...peepholes, ...b, projection, -1, ...states, -1, -1, -1, -1];
    builder.operator('UNIDIRECTIONAL_SEQUENCE_LSTM', inputs, [y], options, isCoded ? 3 : 1);
  });
}

function emitRnn(emitter: Emitter, node: Node): void {
  const units = Number(node.attributes.units);
  emitter.sameType(
    node,
    ['W', 'U'].map((role) => ({ role, kind: emitter.rows(node, role).kind })),
  );
  const W = emitter.constant(node, 'W', [units, emitter.width(node.inputs.x!)], false);
  const U = emitter.constant(node, 'U', [units, units], false);
  const b = emitter.vector(node, 'b', units);
  const isCoded = emitter.rows(node, 'W').kind === 'INT8';
  aroundSteps(emitter, node, units, (x, y) => {
    const inputs = [x, W, U, b, variable(emitter, node, 'h', units)];
    const options = { timeMajor: false, activation: fusedOf(emitter, node) };
    emitter.builder.operator('UNIDIRECTIONAL_SEQUENCE_RNN', inputs, [y], options, isCoded ? 2 : 1);
  });
}

/** Above this many steps an unrolled layer makes files too large to be of use. */
const mostUnrolled = 1000;

/**
 * TensorFlow Lite has no GRU: its equations step by step, unrolled where the number of steps is known; else the file
 * takes one step a call with h as an input and an output.
 */
function emitGru(emitter: Emitter, node: Node): void {
  const { builder } = emitter;
  const units = Number(node.attributes.units);
  const features = emitter.width(node.inputs.x!);
  const steps = emitter.steps(node.inputs.x!)!;
  if (steps > mostUnrolled) {
    emitter.refuse(
      node,
      `${steps} steps, which would be unrolled`,
      `give it at most ${mostUnrolled}, or leave them open`,
    );
  }
  const W = gateTensors(emitter, node, 'W', 3, [units, features]);
  const U = gateTensors(emitter, node, 'U', 3, [units, units]);
  const b = zeroOr(emitter, node, 'b', 3, units);
  const after = node.attributes.resetAfter === true;
  const bR = node.weights.bR === undefined ? [-1, -1, -1] : gateTensors(emitter, node, 'bR', 3, [units]);
  const σ = activationOf(node, 'recurrentActivation', ['sigmoid']);
  const φ = activationOf(node, 'activation', ['tanh']);
  const row = (name: string, width = units) => emitter.between(node, name, [1, width]);
  const one = emitter.scalar(node, 1);
  aroundSteps(emitter, node, units, (x, y) => {
    const inputs = Array.from({ length: steps }, (_, t) => row(`x${t}`, features));
    builder.operator('UNPACK', [x], inputs, { count: steps, axis: 1 });
    const initial = emitter.stepwise
      ? builder.tensor({ name: `${node.name}/h in`, shape: [1, units], type: 'FLOAT32' })
      : builder.floats(`${node.name}/zeros`, [1, units], new Float32Array(units));
    let h = initial;
    const results = inputs.map((xt, t) => {
      const of = (name: string) => `${name}${t}`;
      const full = (input: number, weight: number, bias: number, name: string) => {
        const out = row(of(name));
        const options = { activation: 0, weightsFormat: 0, keepDims: false };
        builder.operator('FULLY_CONNECTED', [input, weight, bias], [out], options, 3);
        return out;
      };
      const binary = (name: string, p: number, q: number, out: string) => {
        const made = row(of(out));
        builder.operator(name, [p, q], [made], { activation: 0 });
        return made;
      };
      const gate = (k: number, name: string) => {
        const sum = binary('ADD', full(xt, W[k]!, b[k]!, `${name} x`), full(h, U[k]!, bR[k]!, `${name} h`), name);
        return emitActivation(emitter, node, σ, sum, row(of(`${name} gate`)));
      };
      const z = gate(0, 'z');
      const r = gate(1, 'r');
      const xn = full(xt, W[2]!, b[2]!, 'n x');
      const inner = after
        ? binary('MUL', r, full(h, U[2]!, bR[2]!, 'n h'), 'reset')
        : full(binary('MUL', r, h, 'reset'), U[2]!, -1, 'n h');
      const n = emitActivation(emitter, node, φ, binary('ADD', xn, inner, 'n'), row(of('candidate')));
      const kept = binary('MUL', z, h, 'kept');
      h = binary('ADD', kept, binary('MUL', binary('SUB', one, z, 'rest'), n, 'new'), 'h');
      return h;
    });
    builder.operator('PACK', results, [y], { count: steps, axis: 1 });
    if (emitter.stepwise) emitter.states.push({ name: node.name, input: initial, output: h });
  });
}

export function emitRecurrent(emitter: Emitter, node: Node): void {
  if (node.attributes.cell === 'lstm') emitLstm(emitter, node);
  else if (node.attributes.cell === 'gru') emitGru(emitter, node);
  else if (node.attributes.cell === 'rnn') emitRnn(emitter, node);
  else emitter.refuse(node, `a ${emitter.attribute(node, 'cell')} cell`);
}
