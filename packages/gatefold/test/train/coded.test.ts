import { createSession, decode, type Model, readGatefold, simd128Engine, writeGatefold } from '@gatefold/runtime';
import { referenceEngine } from '@gatefold/runtime/reference';
import { describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { randomSource, randomValues } from '../../../runtime/test/support/random.ts';
import { type QuantizeOptions, quantize, quantizeAware } from '../../src/compress/index.ts';
import type { Dataset } from '../../src/data/index.ts';
import { evaluate } from '../../src/evaluate/index.ts';
import { Float64Backend } from '../../src/train/backend/float64.ts';
import { WasmBackend } from '../../src/train/backend/wasm.ts';
import type { CodingOptions } from '../../src/train/coded.ts';
import { TrainGraph } from '../../src/train/graph.ts';
import { modelFor, type TrainOptions, train } from '../../src/train/index.ts';
import { Parameters } from '../../src/train/parameters.ts';
import { lossAndGradients } from './gradients.ts';

const batch = 2;
const steps = 5;
const x = randomValues(randomSource(5), batch * steps * 5);

const settings: Record<string, QuantizeOptions & { normalize?: boolean }> = {
  int8: { bits: 8 },
  int4: { bits: 4 },
  'int3, dynamic': { bits: 3, operandScale: 'dynamic', clip: 'max' },
  'int2 per gate, float32 scales': { bits: 2, granularity: 'gate', scales: 'f32' },
  'int4, wide operands': { bits: 4, operand: 'u14', granularity: 'tensor' },
  'int4, float operands': { bits: 4, operand: 'f32' },
  'four balanced levels': { scheme: 'balanced' },
  ternary: { scheme: 'ternary' },
  binary: { scheme: 'binary', scales: 'f32' },
  'ternary, normalized': { scheme: 'ternary', normalize: true },
  'binary, normalized': { scheme: 'binary', scales: 'f32', normalize: true },
  'codebook of 8': { scheme: 'codebook', bits: 3 },
  'logarithmic, decoded': { scheme: 'log', bits: 5 },
};

describe('codes in training', () => {
  const cases = Object.entries(settings).flatMap(([name, options]) =>
    (['lstm', 'gruAfter', 'gruBefore', 'lstmPeephole', 'lstmProjected'] as const).map(
      (cell) => [`${cell} ${name}`, cell, options] as const,
    ),
  );

  it.each(cases)('%s: training sees what the engines compute', (_, cell, { normalize = false, ...options }) => {
    const float = smallModel(12, cellChoices[cell]!, { units: 8 });
    const coded = quantize(float, options).model;
    const backend = new WasmBackend();
    const parameters = new Parameters(backend, float, { coded, coding: { normalize } });
    // As after some training: steps that moved.
    const random = randomSource(4);
    for (const { name, value } of parameters.trained) {
      if (name.endsWith('#step')) backend.write(value, randomValues(random, value.cols, 0.3));
      else if (normalize) backend.scaled(1.7, value, value, false);
    }
    parameters.prepare();
    const { output } = new TrainGraph(float).forward(backend, parameters, { x }, { batch });
    const found = backend.read(output.v.value);
    const baked = parameters.bake(parameters.snapshot());
    const wanted = createSession(baked).run({ x }, { batch }).y!.data;
    expect(baked.weights['cell/W']!.encoding.kind).toBe(coded.weights['cell/W']!.encoding.kind);
    const width = wanted.length / (batch * steps);
    const differences = Array.from(wanted, (value, i) => {
      const [row, column] = [Math.floor(i / width), i % width];
      return Math.abs(value - found[((row % steps) * batch + Math.floor(row / steps)) * width + column]!);
    });
    // Where an operand lies halfway between two codes (sums of codes often do), the last bit decides.
    expect(Math.max(...differences)).toBeLessThan(0.02);
    expect(differences.filter((d) => d < 1e-5).length).toBeGreaterThan(0.75 * differences.length);
  });

  const exact = cases.filter(([, cell]) => cell !== 'lstmProjected');
  it.each(exact)('%s: the kernels equal float64', (_, cell, { normalize = false, ...options }) => {
    const model = smallModel(12, cellChoices[cell]!, { units: 8 });
    const given = { model, coded: quantize(model, options).model, coding: { normalize }, batch, inputs: { x } };
    const plain = lossAndGradients(new Float64Backend(), given);
    const { loss, gradients } = lossAndGradients(new WasmBackend(), given);
    expect(Math.abs(loss - plain.loss)).toBeLessThan(1e-5 * Math.max(1, plain.loss));
    expect([...gradients.keys()]).toContain('cell/U#step');
    for (const [name, wanted] of plain.gradients) {
      const largest = Math.max(...Array.from(wanted, Math.abs), 1e-2);
      const worst = Math.max(...Array.from(wanted, (value, i) => Math.abs(value - gradients.get(name)![i]!)));
      expect(worst, name).toBeLessThan(2e-5 * largest);
    }
  });

  it.each([['ternary'], ['binary'], ['balanced']] as const)('%s: slopes of gains are central differences', (scheme) => {
    const model = smallModel(12, cellChoices.lstm!, { units: 8 });
    const { model: coded } = quantize(model, { scheme, operand: 'f32', scales: 'f32' });
    const given = { model, coded, coding: { normalize: true }, batch, inputs: { x } };
    // Codes do not depend on gains, so that the loss is smooth in them.
    const lossAt = (shift: number) => {
      const backend = new Float64Backend();
      return lossAndGradients(backend, given, ({ trained }) => {
        const { value } = trained.find(({ name }) => name === 'cell/U#step')!;
        backend.write(
          value,
          Float64Array.from({ length: value.cols }, (_, i) => (i === 5 ? shift : 0)),
        );
      }).loss;
    };
    const { gradients } = lossAndGradients(new Float64Backend(), given);
    const h = 4e-3;
    const wanted = (lossAt(h) - lossAt(-h)) / (2 * h);
    expect(Math.abs(gradients.get('cell/U#step')![5]! - wanted)).toBeLessThan(1e-3 * Math.abs(wanted));
  });

  it('refuses codes that cannot be trained', () => {
    const model = smallModel(3, cellChoices.lstm!);
    for (const options of [{ bits: 8, symmetric: false }, { bits: 12 }] as const) {
      const coded = quantize(model, options).model;
      expect(() => new Parameters(new Float64Backend(), model, { coded })).toThrow('MODEL_UNSUPPORTED');
    }
  });
});

/** Notes that climb and fall; what comes next depends on more than the last. */
function tune(length: number): Dataset {
  const random = randomSource(2);
  const ids = new Float32Array(length + 1);
  for (let i = 2; i < ids.length; i++) {
    const next = ids[i - 1]! + (ids[i - 1]! >= ids[i - 2]! ? 1 : -1);
    ids[i] = next > 7 ? 6 : next < 0 ? 1 : random() < 0.1 ? Math.floor(random() * 8) : next;
  }
  return {
    ...{ name: 'tune', task: 'language', count: 1 },
    inputs: { x: { shape: [1, length], data: ids.subarray(0, length) } },
    targets: { shape: [1, length], data: ids.subarray(1) },
  };
}

describe('quantization-aware training', () => {
  const data = tune(4000);
  const held = tune(4000);
  const options: TrainOptions = {
    ...{ epochs: 6, batch: 8, window: 25 },
    optimizer: { name: 'adam', rate: 0.01, clipNorm: 1 },
    schedule: { name: 'cosine' },
  };
  const loss = async (model: Model) => (await evaluate(model, held)).metrics.loss!;

  it('wins back most of what 2 and 3 bits cost', async () => {
    const float = (await train(modelFor('embedding:8 lstm:16 dense', data), data, options)).model;
    const whole = await loss(float);
    for (const bits of [2, 3]) {
      const coded = quantize(float, { bits }).model;
      const { model } = await train(float, data, { ...options, coded, validate: loss });
      expect(await loss(coded)).toBeGreaterThan(whole * 1.02);
      expect(await loss(model), `${bits} bits`).toBeLessThan(whole + 0.35 * ((await loss(coded)) - whole));
      expect(model.weights['lstm/U']!.encoding).toMatchObject({ kind: 'affine', bits });
    }
  });

  const schemes: [string, QuantizeOptions, CodingOptions, number][] = [
    ['ternary', { scheme: 'ternary' }, {}, 0.4],
    ['ternary, normalized', { scheme: 'ternary' }, { normalize: true }, 0.4],
    ['binary, normalized', { scheme: 'binary' }, { normalize: true }, 0.4],
    ['four balanced levels', { scheme: 'balanced' }, {}, 0.35],
  ];
  it.each(schemes)(
    '%s: the file has the loss that training reported, on every engine',
    async (_, way, coding, left) => {
      const float = (await train(modelFor('embedding:8 lstm:16 dense', data), data, options)).model;
      const coded = quantize(float, way).model;
      const result = await train(float, data, { ...options, coded, coding, validate: loss });
      const file = readGatefold(writeGatefold(result.model));
      expect(await loss(file)).toBe(result.bestValidation);
      const x = held.inputs.x!.data.subarray(0, 200);
      const run = (engine: typeof simd128Engine) => [...createSession(file, { engine }).run(x).y!.data];
      expect(run(simd128Engine)).toEqual(run(referenceEngine));
      const whole = await loss(float);
      expect(result.bestValidation).toBeLessThan(whole + left * ((await loss(coded)) - whole));
    },
  );

  it('goes through wider codes first, and keeps no epoch of theirs', async () => {
    const float = (await train(modelFor('embedding:8 lstm:16 dense', data), data, options)).model;
    const training = { epochs: 4, batch: 8, bptt: 25, rate: 0.01 };
    const { model } = await quantizeAware(float, { bits: 2 }, { ...training, progressive: [8, 4] }, { training: data });
    const backend = new Float64Backend();
    const [before, coded] = [4, 2].map((bits) => quantize(float, { bits }).model);
    const parameters = new Parameters(backend, float, {
      coded: coded!,
      coding: { before: [{ coded: before!, until: 0.5 }] },
    });
    const seen = (done: number) => {
      parameters.prepare(done);
      return [...backend.read(parameters.get('lstm/U').value)];
    };
    const close = (found: number[], wanted: Model) => {
      const values = decode(wanted.weights['lstm/U']!);
      expect(Math.max(...found.map((value, i) => Math.abs(value - values[i]!)))).toBeLessThan(1e-6);
    };
    close(seen(0.49), before!);
    close(seen(0.5), coded!);
    expect(model.weights['lstm/U']!.encoding).toMatchObject({ kind: 'affine', bits: 2 });
  });

  it.each([
    [0, 20],
    [undefined, 18],
  ])('holding out %s leaves %i batches', async (holdOut, batches) => {
    const float = modelFor('embedding:4 lstm:4 dense', data);
    const training = { epochs: 1, batch: 8, bptt: 25, ...(holdOut === undefined ? {} : { holdOut }) };
    const totals = new Set<number>();
    const onProgress = (_: number, total: number, what = '') => {
      if (what.startsWith('training')) totals.add(total);
    };
    await quantizeAware(float, { bits: 4 }, training, { training: data, onProgress });
    expect([...totals]).toEqual([batches]);
  });
});
