import { describe, expect, it } from 'vitest';
import { randomSource, randomValues } from '../../../runtime/test/support/random.ts';
import type { Dataset } from '../../src/data/index.ts';
import { Float64Backend } from '../../src/train/backend/float64.ts';
import { WasmBackend } from '../../src/train/backend/wasm.ts';
import { modelFor, type TrainOptions, train } from '../../src/train/index.ts';

const random = randomSource(3);

function sequences(count: number, steps: number, features: number, task: Dataset['task'] = 'classify', ragged = false) {
  const lengths = Array.from({ length: count }, (_, i) => (ragged ? steps - ((i * 7) % (steps - 1)) : steps));
  const rows = lengths.reduce((a, b) => a + b);
  const own = ragged ? { lengths } : {};
  const x = { shape: [count, steps, features], data: randomValues(random, rows * features), ...own };
  const labels = task === 'classify' ? count : task === 'transcribe' ? 2 * count : rows;
  const shape = task === 'classify' ? [count] : task === 'transcribe' ? [count, 2] : [count, steps];
  const data = Float32Array.from({ length: labels }, (_, i) => i % 4);
  const targets = { shape, data, ...(task === 'label' ? own : {}) };
  return { name: 'drawn', task, count, inputs: { x }, targets } satisfies Dataset;
}

function text(length: number, symbols: number): Dataset {
  const data = Float32Array.from({ length: length + 1 }, (_, i) => (i * i) % symbols);
  return {
    ...{ name: 'text', task: 'language', count: 1, classes: Array.from({ length: symbols }, (_, i) => `${i}`) },
    inputs: { x: { shape: [1, length], data: data.subarray(0, length) } },
    targets: { shape: [1, length], data: data.subarray(1) },
  };
}

const cases: { name: string; line: string; data: Dataset; options?: Partial<TrainOptions>; most: number }[] = [
  { name: 'LSTM', line: 'lstm:128 dense', data: sequences(64, 28, 28), most: 1.5 },
  { name: 'GRU', line: 'gru:64 dense', data: sequences(64, 28, 28), most: 1.5 },
  { name: 'a stack', line: 'lstm:32 gru:32 lstm:32 dense', data: sequences(48, 30, 20), most: 1.5 },
  { name: 'both directions', line: 'bilstm:32 bilstm:32 dense', data: sequences(40, 25, 16, 'label'), most: 1.5 },
  { name: 'a text', line: 'embedding:64 lstm:128 dense', data: text(9000, 65), most: 1.5 },
  {
    name: 'a text, by SGD',
    line: 'embedding:16 gru:64 dense',
    data: text(4000, 20),
    options: { optimizer: { name: 'sgd' } },
    most: 1.5,
  },
  { name: 'different lengths', line: 'lstm:64 dense', data: sequences(64, 40, 20, 'label', true), most: 1.5 },
  {
    name: 'different lengths, both directions',
    line: 'bigru:32 dense',
    data: sequences(64, 40, 20, 'label', true),
    most: 1.5,
  },
  { name: 'CTC', line: 'lstm:64 dense', data: sequences(32, 40, 20, 'transcribe'), most: 1.5 },
  {
    name: 'convolutions and normalization',
    line: 'conv1d:32:3 batchnorm gru:32 layernorm dense',
    data: sequences(64, 30, 16),
    most: 1.5,
  },
  { name: 'a simple cell', line: 'rnn:32 dense', data: sequences(64, 30, 16), most: 1.5 },
  {
    name: 'dropout',
    line: 'lstm:64 lstm:64 dense',
    data: sequences(64, 28, 28),
    options: { dropout: 0.3, recurrentDropout: 0.2 },
    most: 1.5,
  },
];

describe('memory', () => {
  it.each(cases)(
    'of $name is known before, and little above what must be kept',
    async ({ line, data, options, most }) => {
      const batch = data.task === 'language' ? 20 : data.count;
      const backend = line.startsWith('rnn') ? new Float64Backend() : new WasmBackend();
      // The scratch of the products is the same for every model.
      const scratch = (backend.name === 'float64' ? 8 : 4) * backend.mark();
      const settings = { epochs: 1, batch, window: 50, backend, ...options };
      const { memory, peakBytes } = await train(modelFor(line, data), data, settings);
      expect(peakBytes).toBe(memory.bytes);
      const ratio = (peakBytes - scratch) / memory.kept;
      expect(ratio).toBeLessThan(most);
      expect(ratio).toBeGreaterThan(0.98);
    },
  );

  it('is refused before anything is begun, with the arithmetic and what would fit', async () => {
    const data = sequences(400, 500, 20);
    const model = modelFor('lstm:128 dense', data);
    const begun = Date.now();
    for (const megabytes of [60, 160]) {
      const run = train(model, data, { epochs: 1, batch: 400, backend: new WasmBackend(megabytes * 1e6) });
      await expect(run).rejects.toThrow(
        new RegExp(`MEMORY_LIMIT.*at most ${megabytes - 1}.*\\d MB: .* weights, .* 400 examples of 500 steps`, 's'),
      );
    }
    const error = await train(model, data, { epochs: 1, batch: 400, backend: new WasmBackend(60e6) }).catch((e) => e);
    const fits = Number(/batches of (\d+) would fit/.exec(error.message)![1]);
    expect(fits).toBeGreaterThan(10);
    expect(Date.now() - begun).toBeLessThan(2000);
    const small = {
      ...data,
      count: fits,
      inputs: { x: { ...data.inputs.x, shape: [fits, 500, 20], data: data.inputs.x.data.subarray(0, fits * 10000) } },
    };
    const one = { ...small, targets: { shape: [fits], data: data.targets.data.subarray(0, fits) } };
    const run = await train(model, one, { epochs: 1, batch: fits, backend: new WasmBackend(60e6) });
    expect(run.peakBytes).toBeLessThanOrEqual(60e6);
  });
});
