import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createSession, decode, type Model, simd128Engine, type Weight } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { quantize } from '../../src/compress/index.ts';
import { readModel, writerFor } from '../../src/formats/index.ts';
import { fixtures } from './fixtures.ts';
import { named, wavesOf } from './waves.ts';

const write = async (model: Model) => (await writerFor('tflite', '-o').write(model, {})).bytes;
const digits = fileURLToPath(new URL('../../../../examples/digits/model/digits-lstm128.h5', import.meta.url));

/** Outputs for one input of 6 steps (or as many as the port has), in the order of the ports. */
function run(model: Model): Float32Array[] {
  const session = createSession(model, { engine: simd128Engine });
  const made = session.run(named(session, wavesOf(session)));
  return session.outputs.map(({ name }) => made[name]!.data as Float32Array);
}

function expectSame(a: Model, b: Model): void {
  const [p, q] = [run(a), run(b)];
  expect(q.length).toBe(p.length);
  p.forEach((values, i) => {
    expect(q[i]!.length).toBe(values.length);
    values.forEach((value, k) => {
      expect(Math.abs(value - q[i]![k]!)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(value)));
    });
  });
}

const cells = [
  'rnn',
  'rnnRelu',
  'lstm',
  'lstmNoBias',
  'lstmPeephole',
  'lstmProjected',
  'lstmCoupled',
  'lstmStateClipped',
  'gruAfter',
  'gruBefore',
];

describe('written and read back', () => {
  it.each(cells)('%s over an open number of steps', async (name) => {
    const model = smallModel(11, cellChoices[name]!, { features: 5, units: 8 });
    expectSame(model, (await readModel(await write(model))).model);
  });

  it('is the model or a refusal by name, for every fixture of Keras', async () => {
    let written = 0;
    for (const { bytes, architecture } of fixtures()) {
      const { model } = await readModel(bytes, architecture ? { architecture } : {});
      let file: Uint8Array;
      try {
        file = await write(model);
      } catch (error) {
        expect(error).toMatchObject({ code: 'MODEL_UNSUPPORTED' });
        continue;
      }
      written++;
      expectSame(model, (await readModel(file)).model);
    }
    expect(written).toBeGreaterThan(12);
  });
});

describe('codes', () => {
  const codesOf = ({ encoding }: Weight) => (encoding.kind === 'affine' ? [...encoding.codes] : []);

  it.each([8, 4])('%i bits with a scale per gate stand in the file as they are', async (bits) => {
    const { model } = await readModel(new Uint8Array(readFileSync(digits)));
    const coded = quantize(model, { bits, granularity: 'gate', clip: 'max' }).model;
    const file = await write(coded);
    const back = (await readModel(file)).model;
    expect(file.length).toBeLessThan(90_000);
    for (const [was, is] of [
      ['lstm/W', 'lstm/sequence/W'],
      ['lstm/U', 'lstm/sequence/U'],
      ['digit/kernel', 'digit/kernel'],
    ] as const) {
      expect(codesOf(back.weights[is]!)).toEqual(codesOf(coded.weights[was]!));
      expect([...decode(back.weights[is]!)]).toEqual([...decode(coded.weights[was]!)]);
    }
  });

  it.each([
    [{ bits: 8 }, /lstm\/W.*scale per row/, /--granularity gate/],
    [{ bits: 12, granularity: 'gate' }, /lstm\/W.*cannot hold/, /--bits 8/],
    [{ bits: 8, granularity: 'gate', symmetric: false }, /lstm\/W.*cannot hold/, /without --asymmetric/],
    [{ bits: 4, scheme: 'codebook' }, /lstm\/W.*encoding/, /--bits 8/],
    [{ bits: 8, granularity: 'gate', target: ['lstm/W'] }, /some of its weights have codes/, /--granularity gate/],
  ] as const)('%o is refused with what to do', async (options, message, hint) => {
    const { model } = await readModel(new Uint8Array(readFileSync(digits)));
    const error = await write(quantize(model, options).model).catch((caught: Error) => caught);
    expect(String(error)).toMatch(message);
    expect(String(error)).toMatch(hint);
  });

  it('float16 weights stay float16', async () => {
    const { model } = await readModel(new Uint8Array(readFileSync(digits)));
    const half = quantize(model, { scheme: 'f16' }).model;
    const back = (await readModel(await write(half))).model;
    expect(back.weights['digit/kernel/float16']!.encoding).toMatchObject({ kind: 'dense', type: 'f16' });
    expectSame(half, back);
  });
});

it('says that activations stay float32 where weights are coded', async () => {
  const model = smallModel(3, cellChoices.lstm!, { features: 5, units: 8 });
  const writer = writerFor('tflite', '-o');
  expect((await writer.write(model, {})).notes).toEqual([]);
  const { notes } = await writer.write(quantize(model, { bits: 8, granularity: 'gate' }).model, {});
  expect(notes).toEqual([expect.stringMatching(/^dynamic range: .*activations stay float32/)]);
});
