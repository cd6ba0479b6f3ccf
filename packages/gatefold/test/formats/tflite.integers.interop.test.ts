import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSession, GatefoldError, type Model, simd128Engine } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import digits from '../../../../examples/digits/data.mjs';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { quantize } from '../../src/compress/index.ts';
import { readModel } from '../../src/formats/index.ts';
import { fixtures } from './fixtures.ts';
import { type Job, litertAll, type Result, root, worst, written } from './litert.ts';
import { dimsOf, named, openSteps, wavesOf } from './waves.ts';

type Sample = readonly Float32Array[];

const operands = ['u7', 'u14'] as const;
const coded = (model: Model, operand: 'u7' | 'u14') =>
  quantize(model, { bits: 8, granularity: 'gate', operand, clip: 'max' }).model;

/** A model written with integers and read back: what LiteRT shall run, and how far its results are from ours. */
async function prepare(model: Model): Promise<{ jobs: Job[]; distance: (runs: readonly Result[]) => Distance }> {
  const given = createSession(model, { engine: simd128Engine });
  const samples = Array.from({ length: 16 }, (_, n) => wavesOf(given, n));
  const calibration = () => samples.map((sample) => ({ inputs: named(given, sample), batch: 1 }));
  const path = await written(model, { calibration, integerPorts: true });
  const back = (await readModel(new Uint8Array(readFileSync(path)))).model;
  const states = ((back.origin?.states ?? []) as unknown[]).length;
  const session = createSession(back, { engine: simd128Engine });
  const whole = (sample: Sample) =>
    given.inputs.map(({ shape }, k) => ({ shape: dimsOf(shape), data: [...sample[k]!] }));
  const step = (sample: Sample, t: number) =>
    whole(sample).map(({ shape, data }) => {
      const width = data.length / openSteps;
      return { shape: shape.map((dim, i) => (i === 1 ? 1 : dim)), data: data.slice(t * width, (t + 1) * width) };
    });
  const jobs = samples.map((sample) => ({
    model: path,
    calls: states === 0 ? [whole(sample)] : Array.from({ length: openSteps }, (_, t) => step(sample, t)),
    states: Array.from({ length: states }, (_, i) => [given.inputs.length + i, session.outputs.length + i] as const),
    reset: states === 0,
  }));
  const distance = (runs: readonly Result[]) => {
    const each = samples.map((sample, n) => {
      const made = session.run(named(session, sample));
      const reference = runs[n]!.calls.flatMap(([first]) => first!);
      return worst(made[session.outputs[0]!.name]!.data, reference);
    });
    const most = Math.max(...each);
    return { steps: most / runs[0]!.step, most };
  };
  return { jobs, distance };
}

/** The largest difference in steps of LiteRT's output, and as a number. */
interface Distance {
  readonly steps: number;
  readonly most: number;
}

describe('files with integer activations give in LiteRT what they give read back', () => {
  const cells: [string, 'u7' | 'u14'][] = [
    ...['lstm', 'lstmNoBias', 'lstmPeephole', 'lstmProjected', 'lstmCoupled', 'lstmStateClipped'].map(
      (name): [string, 'u7'] => [name, 'u7'],
    ),
    ...['gruAfter', 'gruBefore'].map((name): [string, 'u7'] => [name, 'u7']),
    ...['lstm', 'lstmNoBias', 'gruAfter', 'gruBefore'].map((name): [string, 'u14'] => [name, 'u14']),
  ];

  it.each(cells)('%s, %s operands', async (name, operand) => {
    const { jobs, distance } = await prepare(coded(smallModel(11, cellChoices[name]!, { units: 8 }), operand));
    const { steps, most } = distance(litertAll(jobs));
    // A projected state is rounded to 8 bits twice.
    if (operand === 'u7') expect(steps).toBeLessThan(name === 'lstmProjected' ? 3 : 2);
    else expect(most).toBeLessThan(3e-4);
  });

  it.each(operands)(
    'every fixture of Keras that can be written, %s operands',
    async (operand) => {
      const done: { name: string; prepared: Awaited<ReturnType<typeof prepare>> }[] = [];
      for (const { name, bytes, architecture } of fixtures()) {
        const { model } = await readModel(bytes, architecture ? { architecture } : {});
        try {
          done.push({ name, prepared: await prepare(coded(model, operand)) });
        } catch (error) {
          if (!(error instanceof GatefoldError)) throw error;
          expect(['MODEL_UNSUPPORTED', 'TARGET_EMPTY'], `${name}: ${error}`).toContain(error.code);
        }
      }
      const results = litertAll(done.flatMap(({ prepared }) => prepared.jobs));
      for (const { name, prepared } of done) {
        const { steps, most } = prepared.distance(results.splice(0, prepared.jobs.length));
        if (operand === 'u7') expect(steps, name).toBeLessThan(2);
        else expect(most, name).toBeLessThan(3e-4);
      }
      expect(done.length).toBeGreaterThan(15);
    },
    300_000,
  );
});

describe('digits', () => {
  it.each(operands)('%s operands: decisions agree', async (operand) => {
    const { model } = await readModel(
      new Uint8Array(readFileSync(join(root, 'examples/digits/model/digits-lstm128.h5'))),
    );
    const { data } = digits('test').inputs.rows!;
    const images = Array.from({ length: 628 }, (_, i) => Float32Array.from(data.subarray(i * 784, (i + 1) * 784)));
    const calibration = () => images.slice(500).map((x) => ({ inputs: { rows: x }, batch: 1 }));
    const path = await written(coded(model, operand), { calibration, integerPorts: true });
    const back = (await readModel(new Uint8Array(readFileSync(path)))).model;
    const session = createSession(back, { engine: simd128Engine });
    const tests = images.slice(0, 500);
    const [result] = litertAll([
      {
        model: path,
        calls: tests.map((data) => [{ shape: [1, 28, 28], data: [...data] }]),
        states: [],
        reset: true,
      },
    ]);
    const best = (values: ArrayLike<number>) => Array.from(values).indexOf(Math.max(...Array.from(values)));
    const agreed = tests.filter((x, i) => {
      const y = session.run({ [session.inputs[0]!.name]: x })[session.outputs[0]!.name]!.data;
      return best(y) === best(result!.calls[i]![0]!);
    });
    expect(agreed.length / tests.length).toBeGreaterThanOrEqual(0.99);
  });
});
