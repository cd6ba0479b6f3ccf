import { createSession, decode, type Model, type Node, simd128Engine, type Weight } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { type QuantizeOptions, quantize } from '../../src/compress/index.ts';
import { readModel, writerFor } from '../../src/formats/index.ts';
import { parseTflite } from '../../src/formats/tflite/parse.ts';
import { fixtures } from './fixtures.ts';
import { named, wavesOf } from './waves.ts';

const writer = writerFor('tflite', '-o');
const sequences = Array.from({ length: 8 }, (_, n) =>
  Float32Array.from({ length: 30 }, (_, i) => Math.sin(i * 1.7 + n)),
);
const calibration = () => sequences.map((x) => ({ inputs: { x }, batch: 1 }));
const small = (name: string, options: Partial<QuantizeOptions> = {}) =>
  quantize(smallModel(11, cellChoices[name]!, { features: 5, units: 8 }), {
    ...{ bits: 8, granularity: 'gate', clip: 'max' },
    ...options,
  }).model;
const write = async (model: Model) => (await writer.write(model, { calibration, integerPorts: true })).bytes;
const outputOf = (model: Model, x: Float32Array) => {
  const session = createSession(model, { engine: simd128Engine });
  return session.run({ [session.inputs[0]!.name]: x })[session.outputs[0]!.name]!.data;
};

describe('files with integer activations', () => {
  it.each([
    ['lstm', 'u7'],
    ['lstmPeephole', 'u7'],
    ['lstmProjected', 'u7'],
    ['lstmCoupled', 'u7'],
    ['lstm', 'u14'],
    ['gruAfter', 'u7'],
    ['gruBefore', 'u14'],
  ] as const)('hold the very codes of %s with %s operands', async (name, operand) => {
    const model = small(name, { operand });
    const back = (await readModel(await write(model))).model;
    const valuesOf = ({ weights }: Model) =>
      Object.values(weights)
        .filter(({ encoding }: Weight) => encoding.kind === 'affine')
        .map((weight) => decode(weight).join())
        .sort();
    expect(valuesOf(back)).toEqual(valuesOf(model));
    // The same products on float32 operands; biases and peepholes are integers too.
    const exact = small(name, { operand: 'f32' });
    for (const x of sequences) {
      const reference = outputOf(exact, x);
      for (const [i, value] of outputOf(back, x).entries()) {
        expect(Math.abs(value - reference[i]!)).toBeLessThan(1e-3);
      }
    }
  });

  it.each([true, false])('read back saturate where their gates do, with integer ports: %s', async (integerPorts) => {
    const boundsOf = async (loudness: number) => {
      const loud = () => sequences.map((x) => ({ inputs: { x: x.map((v) => loudness * v) }, batch: 1 }));
      const { bytes } = await writer.write(small('lstm'), { calibration: loud, integerPorts });
      const [{ attributes }] = Object.values((await readModel(bytes)).model.graphs)[0]!.nodes as [Node];
      return [attributes.inputClip, attributes.clip];
    };
    expect(await boundsOf(200)).toEqual([8, 8]);
    // Codes that cannot reach the bounds need none.
    expect(await boundsOf(1)).toEqual([undefined, undefined]);
  });

  it('take float16 biases', async () => {
    const [half, full] = [small('lstm', { vectors: 'f16' }), small('lstm')];
    const [a, b] = await Promise.all([half, full].map(async (model) => (await readModel(await write(model))).model));
    const [p, q] = [a!, b!].map((model) => outputOf(model, sequences[0]!));
    for (const [i, value] of p!.entries()) expect(Math.abs(value - q![i]!)).toBeLessThan(2e-3);
  });

  // All fixtures that can be written are compared with LiteRT in tflite.integers.interop.test.ts.
  it.each(['k3-cells.keras', 'k3-sequential-built.keras', 'k3-weights-sequential.weights.h5'])(
    'of %s are the model read back',
    async (name) => {
      const { bytes, architecture } = fixtures().find((fixture) => fixture.name === name)!;
      const { model } = await readModel(bytes, architecture ? { architecture } : {});
      const options = { bits: 8, granularity: 'gate', clip: 'max' } as const;
      const exact = createSession(quantize(model, { ...options, operand: 'f32' }).model, { engine: simd128Engine });
      const samples = Array.from({ length: 4 }, (_, n) => wavesOf(exact, n));
      const ranges = () => samples.map((sample) => ({ inputs: named(exact, sample), batch: 1 }));
      const file = (await writer.write(quantize(model, options).model, { calibration: ranges })).bytes;
      const back = createSession((await readModel(file)).model, { engine: simd128Engine });
      const [is, was] = [back, exact].map(
        (session) => session.run(named(session, samples[0]!))[session.outputs[0]!.name]!.data,
      );
      for (const [i, value] of is!.entries()) {
        expect(Math.abs(value - was![i]!)).toBeLessThan(3e-3 * Math.max(1, Math.abs(was![i]!)));
      }
    },
  );

  it("keep an LSTM's h in 8 bits and c in 16, with a power of two as scale", async () => {
    const { graphs } = parseTflite(await write(small('lstm')));
    const { tensors, operators } = graphs[0]!;
    const { inputs, outputs } = operators.find(({ name }) => name === 'UNIDIRECTIONAL_SEQUENCE_LSTM')!;
    const [h, c, y] = [inputs[18]!, inputs[19]!, outputs[0]!].map((i) => tensors[i]!);
    expect([h!.type, c!.type, y!.type]).toEqual(['INT8', 'INT16', 'INT8']);
    expect(h!.quantization).toEqual(y!.quantization);
    expect(Number.isInteger(Math.log2(c!.quantization!.scales[0]!))).toBe(true);
  });

  it.each([
    ['gruAfter', 'u7', ['INT8', 'INT16']],
    ['gruAfter', 'u14', ['INT16', 'INT16']],
    ['lstm', 'u14', ['INT16', 'INT16', 'INT16']],
  ] as const)('of %s with %s operands over open steps hand 16-bit states in and out', async (name, operand, types) => {
    const { tensors, inputs, outputs } = parseTflite(await write(small(name, { operand }))).graphs[0]!;
    expect(inputs.map((i) => tensors[i]!.type)).toEqual(types);
    expect(outputs.map((i) => tensors[i]!.type)).toEqual(types);
    const codings = (list: readonly number[]) => list.slice(1).map((i) => tensors[i]!.quantization);
    expect(codings(outputs)).toEqual(codings(inputs));
  });

  it.each([
    ['without data', 'u7', {}, /^dynamic range.*with data/],
    ['with float operands', 'f32', { calibration }, /^dynamic range.*as the operand of/],
    ['with data', 'u7', { calibration }, /^full integer: activations of 8 bits/],
    ['with wide operands', 'u14', { calibration }, /^full integer: activations of 16 bits/],
  ] as const)('are written where all is known: %s', async (_, operand, options, note) => {
    const { bytes, notes } = await writer.write(small('lstm', { operand }), options);
    expect(notes).toEqual([expect.stringMatching(note)]);
    const { tensors, inputs, outputs } = parseTflite(bytes).graphs[0]!;
    expect(tensors[inputs[0]!]!.type).toBe('FLOAT32');
    expect(tensors[outputs[0]!]!.type).toBe('FLOAT32');
    expect(tensors.some(({ type, data }) => !data && type.startsWith('INT'))).toBe(/^full/.test(notes![0]!));
  });

  it.each([
    ['lstmPeephole', 'u14', /cell.*peepholes/, /--operand u7/],
    ['lstmCoupled', 'u14', /cell.*coupled/, /--operand u7/],
    ['lstmProjected', 'u14', /cell.*projection/, /--operand u7/],
    ['rnn', 'u7', /cell.*simple cell/, /fixed number of steps/],
    ['lstmHard', 'u14', /no known range.*hardSigmoid/s, /--operand f32/],
  ] as const)('refuse %s with %s operands, with a hint', async (name, operand, message, hint) => {
    const error = await write(small(name, { operand })).catch((caught: Error) => caught);
    expect(error).toMatchObject({ code: 'MODEL_UNSUPPORTED' });
    expect(String(error)).toMatch(message);
    expect(String(error)).toMatch(hint);
  });
});
