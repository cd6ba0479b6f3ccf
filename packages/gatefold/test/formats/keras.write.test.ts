import { createSession, type Model, type Session, simd128Engine } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { readModel } from '../../src/formats/index.ts';
import { writeKerasH5, writeKerasZip } from '../../src/formats/keras/write/index.ts';
import { expectNear } from './compare.ts';
import { type Fixture, fixtures } from './fixtures.ts';

/** All outputs of all calls, one after the other. */
function answers(model: Model, arrays: Fixture['arrays']): Float32Array[] {
  const session = createSession(model, { engine: simd128Engine });
  const suffixes = arrays.has('in0_call0') ? ['_call0', '_call1'] : [''];
  const batch = arrays.get(`in0${suffixes[0]}`)!.shape[0]!;
  const streams = suffixes.length > 1 ? Array.from({ length: batch }, () => session.stream()) : undefined;
  return suffixes.flatMap((suffix) => {
    const result = session.run(inputsOf(session, arrays, suffix), streams ? { batch, streams } : { batch });
    return session.outputs.map(({ name }) => result[name]!.data as Float32Array);
  });
}

function inputsOf(session: Session, arrays: Fixture['arrays'], suffix: string): Record<string, Float32Array> {
  return Object.fromEntries(session.inputs.map(({ name }, i) => [name, arrays.get(`in${i}${suffix}`)!.data]));
}

describe.each([
  { format: '.h5', write: writeKerasH5 },
  { format: '.keras', write: writeKerasZip },
])('written as $format and read again, it computes the same', ({ write }) => {
  it.each(fixtures())('$name', async ({ bytes, arrays, architecture }) => {
    const { model } = await readModel(bytes, architecture ? { architecture } : {});
    const written = await write(model);
    const again = await readModel(written.bytes);
    const [before, after] = [answers(model, arrays), answers(again.model, arrays)];
    expect(after.length).toBe(before.length);
    before.forEach((expected, i) => {
      expectNear(after[i]!, expected, 1e-6, `output ${i}`);
    });
  });
});
