import { createSession, type Engine, type Model, type Session, simd128Engine, type Tensor } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { readModel } from '../../src/formats/index.ts';
import { type Fixture, fixtures } from './fixtures.ts';

type Arrays = Fixture['arrays'];

function inputsOf(
  session: Session,
  arrays: Arrays,
  suffix: string,
): { inputs: Record<string, Float32Array>; batch: number } {
  const named = session.inputs.map((port, i) => [port.name, arrays.get(`in${i}${suffix}`)!] as const);
  return { inputs: Object.fromEntries(named.map(([name, { data }]) => [name, data])), batch: named[0]![1].shape[0]! };
}

/** The largest difference to Keras, relative above 1. */
function worst(
  session: Session,
  outputs: Record<string, Tensor>,
  arrays: Arrays,
  suffix: string,
): { error: number; port: string } {
  let error = 0;
  let port = '';
  session.outputs.forEach(({ name }, i) => {
    const expected = arrays.get(`out${i}${suffix}`)!;
    const { data } = outputs[name]!;
    expect(data.length, `size of ${name}`).toBe(expected.data.length);
    data.forEach((value, k) => {
      const reference = expected.data[k]!;
      const difference = Math.abs(value - reference) / Math.max(1, Math.abs(reference));
      if (!(difference <= error)) {
        error = difference;
        port = name;
      }
    });
  });
  return { error, port };
}

async function compare(model: Model, engine: Engine, arrays: Arrays): Promise<void> {
  const session = createSession(model, { engine });
  expect([...arrays.keys()].filter((key) => /^out\d+(_call0)?$/.test(key)).length).toBe(session.outputs.length);
  if (!arrays.has('in0_call0')) {
    const { inputs, batch } = inputsOf(session, arrays, '');
    const { error, port } = worst(session, session.run(inputs, { batch }), arrays, '');
    expect(error, port).toBeLessThanOrEqual(1e-5);
    return;
  }
  // Stateful layers carry their states from call to call.
  const { batch } = inputsOf(session, arrays, '_call0');
  const streams = Array.from({ length: batch }, () => session.stream());
  for (let call = 0; arrays.has(`in0_call${call}`); call++) {
    const { inputs } = inputsOf(session, arrays, `_call${call}`);
    const { error, port } = worst(session, session.run(inputs, { batch, streams }), arrays, `_call${call}`);
    expect(error, `${port}, call ${call}`).toBeLessThanOrEqual(1e-5);
  }
}

describe('outputs equal Keras', () => {
  it.each(fixtures())('$name', async ({ bytes, arrays, architecture }) => {
    const { model } = await readModel(bytes, architecture ? { architecture } : {});
    await compare(model, simd128Engine, arrays);
  });
});
