import { readFileSync } from 'node:fs';
import { quantize } from '../../packages/gatefold/dist/index.js';
import * as runtime from '../../packages/runtime/dist/index.js';
import { gatesOf } from '../lib/weights.mjs';

const { version } = JSON.parse(readFileSync(new URL('../../packages/runtime/package.json', import.meta.url)));

/** The layer as a Gatefold model. */
export function gatefoldModel(layer) {
  const { cell, units: H } = layer;
  const rows = gatesOf[cell].length * H;
  const weight = (values, shape) => runtime.denseWeight(shape, values);
  const roles = ['W', 'U', 'b', ...(layer.bR ? ['bR'] : [])];
  return {
    name: `${cell}${H}`,
    metadata: {},
    weights: Object.fromEntries(
      roles.map((role) => [role, weight(layer[role], role === 'W' || role === 'U' ? [rows, H] : [rows])]),
    ),
    graphs: {
      main: {
        inputs: [{ name: 'x', shape: ['batch', 'time', H], dtype: 'float32' }],
        outputs: [{ name: 'y', value: 'y' }],
        states: [],
        nodes: [
          {
            name: 'layer',
            op: 'recurrent',
            inputs: { x: 'x' },
            outputs: { y: 'y' },
            attributes: { cell, units: H, ...(cell === 'gru' ? { resetAfter: true } : {}) },
            weights: Object.fromEntries(roles.map((role) => [role, role])),
          },
        ],
      },
    },
  };
}

function contender(engine, type) {
  return {
    name: `gatefold ${engine.name}`,
    type,
    version,
    unavailable: () => engine.unavailable(),
    async load(layer) {
      const float = gatefoldModel(layer);
      const model = type === 'float32' ? float : quantize(float, { bits: type === 'int8' ? 8 : 4 }).model;
      const session = runtime.createSession(model, { engine });
      const one = session.stream();
      const many = session.stream();
      return {
        step: (x) => one.step(x),
        many: (xs) => many.push(xs).y.data,
        reset: () => {
          one.reset();
          many.reset();
        },
      };
    },
  };
}

const engines = [runtime.simd128Engine, runtime.relaxedEngine];
export default engines.flatMap((engine) =>
  ['float32', 'int8', 'int4']
    // The relaxed build differs in integer products only.
    .filter((type) => type !== 'float32' || engine.name === 'simd128')
    .map((type) => contender(engine, type)),
);
