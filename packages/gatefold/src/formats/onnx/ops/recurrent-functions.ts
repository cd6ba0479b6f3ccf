import type { Activation } from '@gatefold/runtime';
import type { Call } from '../graph/call.ts';
import type { CellName } from './recurrent-weights.ts';

const infinity = Number.POSITIVE_INFINITY;

/** ONNX' functions inside cells; alpha and beta as given, or its defaults. */
const functions: Readonly<Record<string, (alpha?: number, beta?: number) => Activation>> = {
  relu: () => ['relu'],
  tanh: () => ['tanh'],
  sigmoid: () => ['sigmoid'],
  affine: (alpha = 1, beta = 0) => ['affine', alpha, beta],
  leakyrelu: (alpha = 0.01) => ['relu', alpha, infinity, 0],
  thresholdedrelu: (alpha = 1) => ['relu', 0, infinity, alpha],
  hardsigmoid: (alpha = 0.2, beta = 0.5) => ['hardSigmoid', alpha, beta],
  elu: (alpha = 1) => ['elu', alpha],
  softsign: () => ['softsign'],
  softplus: () => ['softplus'],
};
const withAlpha = ['affine', 'leakyrelu', 'thresholdedrelu', 'scaledtanh', 'hardsigmoid', 'elu'];
const withBeta = ['affine', 'scaledtanh', 'hardsigmoid'];

const defaults: Readonly<Record<CellName, readonly string[]>> = {
  lstm: ['Sigmoid', 'Tanh', 'Tanh'],
  gru: ['Sigmoid', 'Tanh'],
  rnn: ['Tanh'],
};

/** The functions of each direction: gates first, then candidate (and output) as one. */
export function activationsOf(
  call: Call,
  cell: CellName,
  directions: number,
): { gate?: Activation; candidate: Activation }[] {
  const each = defaults[cell];
  const names = call.texts('activations') ?? Array.from({ length: directions }, () => each).flat();
  if (names.length !== each.length * directions) {
    call.fail('MODEL_SHAPE', 'activations do not fit its directions', {
      expected: String(each.length * directions),
      found: names.join(', '),
    });
  }
  // alpha and beta are queues: each function that takes one takes the next.
  const alphas = [...(call.floats('activation_alpha') ?? [])];
  const betas = [...(call.floats('activation_beta') ?? [])];
  const made = names.map((given) => {
    const name = given.toLowerCase();
    const make = Object.hasOwn(functions, name) ? functions[name] : undefined;
    if (!make)
      call.refuse(`its activation "${given.slice(0, 40)}" has no meaning here`, {
        expected: Object.keys(functions).join(', '),
      });
    return make(
      withAlpha.includes(name) ? alphas.shift() : undefined,
      withBeta.includes(name) ? betas.shift() : undefined,
    );
  });
  return Array.from({ length: directions }, (_, d) => {
    const [first, second, third] = made.slice(d * each.length, (d + 1) * each.length);
    if (cell === 'rnn') return { candidate: first! };
    if (cell === 'lstm' && JSON.stringify(second) !== JSON.stringify(third)) {
      call.refuse('has another function for its cell than for its output', { found: names.join(', ') });
    }
    return { gate: first!, candidate: second! };
  });
}
