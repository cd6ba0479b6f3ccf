import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { decode, type Model } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { randomSource } from '../../../runtime/test/support/random.ts';
import type { Dataset } from '../../src/data/index.ts';
import { evaluate } from '../../src/evaluate/index.ts';
import {
  type Channel,
  type Checkpoint,
  modelFor,
  readCheckpoint,
  serveReplica,
  type TrainEvent,
  type TrainOptions,
  train,
  type Workers,
  writeCheckpoint,
} from '../../src/train/index.ts';
import { rateFactor } from '../../src/train/schedule.ts';
import { bits, recall, text } from '../support/tasks.ts';

/** The same with sequences of different lengths. */
function ragged(count: number, seed: number): Dataset {
  const { inputs, ...rest } = recall(count, seed, 12);
  const lengths = Array.from({ length: count }, (_, i) => 4 + ((i * 5) % 9));
  const parts = lengths.map((steps, i) => inputs.x!.data.subarray(i * 36, i * 36 + steps * 3));
  return {
    ...rest,
    inputs: { x: { shape: [count, 12, 3], data: Float32Array.from(parts.flatMap((p) => [...p])), lengths } },
  };
}

const everything: Omit<TrainOptions, 'epochs'> = {
  ...{ batch: 16, window: 12, seed: 4, dropout: 0.2, recurrentDropout: 0.1, averageFrom: 1 },
  schedule: { name: 'cosine', warmup: 3 },
  optimizer: { name: 'adam', rate: 0.01, clipNorm: 1 },
};

/** Workers in this very thread: messages are cloned and arrive later, as between threads. */
function localWorkers(count: number): Workers {
  return {
    count,
    spawn() {
      const { port1, port2 } = new MessageChannel();
      const end = (port: MessagePort): Channel => ({
        post: (message) => port.postMessage(message),
        listen: (receive) => void port.on('message', receive),
        close: () => port.close(),
      });
      serveReplica(end(port2));
      return end(port1);
    },
  };
}

describe('training', () => {
  it.each(['lstm:12 dense', 'gru:12 dense', 'rnn:12 dense', 'bilstm:8 dense', 'conv1d:8:2 lstm:8 layernorm dense'])(
    '%s learns to remember',
    async (line) => {
      const data = recall(256, 1);
      const { model } = await train(modelFor(line, data), data, {
        ...{ epochs: 12, batch: 16 },
        optimizer: { name: 'adam', rate: 0.02, clipNorm: 1 },
      });
      const { metrics } = await evaluate(model, recall(200, 2));
      expect(metrics.accuracy).toBeGreaterThan(0.95);
    },
  );

  it('learns to remember over sequences of different lengths', async () => {
    const data = ragged(256, 1);
    const { model } = await train(modelFor('lstm:12 dense', data), data, {
      ...{ epochs: 12, batch: 16 },
      optimizer: { name: 'adam', rate: 0.02, clipNorm: 1 },
    });
    expect((await evaluate(model, ragged(200, 2))).metrics.accuracy).toBeGreaterThan(0.95);
  });

  it('normalizes by the batch, and saves what the data are like', async () => {
    // Features far from zero, of very different sizes.
    const shifted = (count: number, seed: number) => {
      const { inputs, ...rest } = ragged(count, seed);
      const data = inputs.x!.data.map((value, i) => 100 * (i % 3) + 10 ** (i % 3) * value);
      return { ...rest, inputs: { x: { ...inputs.x!, data } } };
    };
    const data = shifted(256, 1);
    const start = modelFor('batchnorm lstm:12 dense', data);
    const { model } = await train(start, data, {
      ...{ epochs: 14, batch: 32 },
      optimizer: { name: 'adam', rate: 0.02, clipNorm: 1, decay: 0.01 },
    });
    expect((await evaluate(model, shifted(200, 2))).metrics.accuracy).toBeGreaterThan(0.95);
    const [scale, shift] = ['scale', 'shift'].map((role) => decode(model.weights[`statistics/${role}`]!));
    for (const k of [0, 1, 2]) {
      const column = [...data.inputs.x!.data].filter((_, i) => i % 3 === k);
      const mean = column.reduce((a, b) => a + b) / column.length;
      const deviation = Math.sqrt(column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / column.length);
      expect(Math.abs(-shift![k]! / scale![k]! - mean)).toBeLessThan(0.15 * deviation);
      expect(1 / scale![k]! / deviation).toBeGreaterThan(0.85);
      expect(1 / scale![k]! / deviation).toBeLessThan(1.15);
    }
    // A node that is frozen keeps its statistics.
    const frozen = await train(start, data, { epochs: 1, trained: (name) => !name.startsWith('statistics/') });
    expect([...decode(frozen.model.weights['statistics/shift']!)]).toEqual([0, 0, 0]);
  });

  it('learns a text with carried states', async () => {
    const data = text(700);
    const { model } = await train(modelFor('embedding:6 lstm:16 dense', data), data, {
      ...{ epochs: 30, batch: 4, window: 16 },
      optimizer: { name: 'adam', rate: 0.02 },
    });
    expect((await evaluate(model, data)).metrics.perplexity).toBeLessThan(1.1);
  });

  it.each([
    ['examples', recall(96, 3), 'lstm:8 gru:8 dense'],
    ['examples of different lengths', ragged(96, 3), 'bilstm:8 gru:8 dense'],
    ['examples with batch normalization', ragged(96, 3), 'batchnorm lstm:8 batchnorm dense'],
    ['a text', text(600), 'embedding:4 lstm:8 lstm:8 dense'],
  ])('of %s continues from a checkpoint with the same bits', async (_, data, line) => {
    const start = modelFor(line, data);
    const checkpoints: Checkpoint[] = [];
    const options = { ...everything, epochs: 3, checkpointEvery: 4 };
    const validate = async (model: Model) => (await evaluate(model, data)).metrics.loss!;
    const whole = await train(start, data, { ...options, validate, onCheckpoint: (c) => void checkpoints.push(c) });
    expect(checkpoints.length).toBeGreaterThan(3);
    for (const checkpoint of checkpoints) {
      const resume = readCheckpoint(writeCheckpoint(checkpoint));
      const rest = await train(start, data, { ...options, validate, resume });
      expect(bits(rest.model)).toEqual(bits(whole.model));
    }
    // Same input, same bits; another seed, others.
    expect(bits((await train(start, data, { ...options, validate })).model)).toEqual(bits(whole.model));
    expect(bits((await train(start, data, { ...options, validate, seed: 5 })).model)).not.toEqual(bits(whole.model));
  });

  it('by several threads is training by one, and continues with the same bits', async () => {
    for (const [data, line] of [
      [recall(90, 3), 'lstm:8 dense'],
      [ragged(90, 3), 'lstm:8 dense'],
      [text(600), 'embedding:4 gru:8 dense'],
    ] as const) {
      const start = modelFor(line, data);
      const options = { epochs: 2, batch: 15, window: 12, optimizer: { name: 'adam', rate: 0.01 } as const };
      const alone = await train(start, data, options);
      const checkpoints: Checkpoint[] = [];
      const shared = { ...options, workers: localWorkers(2), checkpointEvery: 2 };
      const team = await train(start, data, { ...shared, onCheckpoint: (made) => void checkpoints.push(made) });
      const [a, b] = [alone, team].map(({ model }) => Object.values(model.weights).flatMap((w) => [...decode(w)]));
      expect(Math.max(...a!.map((value, i) => Math.abs(value - b![i]!)))).toBeLessThan(1e-4);
      for (const checkpoint of checkpoints.slice(0, 4)) {
        const rest = await train(start, data, { ...shared, resume: readCheckpoint(writeCheckpoint(checkpoint)) });
        expect(bits(rest.model)).toEqual(bits(team.model));
      }
      // What goes wrong in a worker arrives with its code.
      const wrong = { ...data, targets: { ...data.targets!, data: data.targets!.data.map(() => 99) } };
      await expect(train(start, wrong, shared)).rejects.toThrow('DATA_INVALID');
    }
  });

  it('stops when asked, with a checkpoint from which it goes on', async () => {
    const data = recall(96, 3);
    const start = modelFor('lstm:8 dense', data);
    const controller = new AbortController();
    let last: Checkpoint | undefined;
    const stopped = await train(start, data, {
      ...everything,
      epochs: 3,
      signal: controller.signal,
      onCheckpoint: (checkpoint) => {
        last = checkpoint;
      },
      onEvent: (event) => {
        if (event.kind === 'step' && event.step === 8) controller.abort();
      },
    });
    expect(stopped).toMatchObject({ interrupted: true, steps: 8 });
    const rest = await train(start, data, { ...everything, epochs: 3, resume: last! });
    expect(bits(rest.model)).toEqual(bits((await train(start, data, { ...everything, epochs: 3 })).model));
  });

  it('refuses a damaged checkpoint, and one of another run', async () => {
    const data = recall(32, 3);
    let checkpoint: Checkpoint | undefined;
    await train(modelFor('lstm:8 dense', data), data, {
      epochs: 1,
      onCheckpoint: (made) => {
        checkpoint = made;
      },
    });
    const bytes = writeCheckpoint(checkpoint!);
    for (let at = 0; at < bytes.length; at += 97) {
      const damaged = bytes.slice();
      damaged[at]! ^= 4;
      expect(() => readCheckpoint(damaged), `byte ${at}`).toThrow(/FILE_/);
    }
    const other = train(modelFor('lstm:9 dense', data), data, { epochs: 1, resume: checkpoint! });
    await expect(other).rejects.toThrow('STATE_INVALID');
  });

  it('keeps the best by validation and stops without improvement', async () => {
    const data = recall(32, 3);
    const seen: number[] = [];
    const events: TrainEvent[] = [];
    const judged: Model[] = [];
    const { model, epochs, bestValidation } = await train(modelFor('lstm:4 dense', data), data, {
      ...{ epochs: 20, batch: 16, patience: 3 },
      validate: (candidate) => {
        judged.push(candidate);
        seen.push([5, 3, 4, 3.5, 6, 1][seen.length]!);
        return seen.at(-1)!;
      },
      onEvent: (event) => void events.push(event),
    });
    expect(seen).toEqual([5, 3, 4, 3.5, 6]);
    expect({ epochs, bestValidation }).toEqual({ epochs: 5, bestValidation: 3 });
    expect(bits(model)).toEqual(bits(judged[1]!));
    expect(events.filter((event) => event.kind === 'epoch').map((event) => event.best)).toEqual([
      ...[true, true, false, false, false],
    ]);
  });

  it('says where it diverges', async () => {
    const data = recall(64, 3);
    const run = train(modelFor('lstm:8 dense:4:relu dense', data), data, {
      ...{ epochs: 30, batch: 16 },
      optimizer: { name: 'sgd', rate: 1e30 },
    });
    await expect(run).rejects.toThrow(/TRAINING_DIVERGED[\s\S]*epoch 1, step \d/);
  });

  it('trains only what it is asked to', async () => {
    const data = recall(64, 3);
    const start = modelFor('lstm:8 dense', data);
    const { model } = await train(start, data, { epochs: 1, trained: (name) => name.startsWith('dense/') });
    const changed = Object.keys(start.weights).filter(
      (name) => decode(model.weights[name]!).join() !== decode(start.weights[name]!).join(),
    );
    expect(changed).toEqual(['dense/kernel', 'dense/bias']);
    await expect(train(start, data, { epochs: 1, trained: () => false })).rejects.toThrow('TARGET_EMPTY');
  });

  it('distils: a student taught by outputs alone agrees with its teacher', async () => {
    const data = recall(256, 1);
    const options = { epochs: 12, batch: 16, optimizer: { name: 'adam', rate: 0.02, clipNorm: 1 } as const };
    const teacher = (await train(modelFor('lstm:16 dense', data), data, options)).model;
    // Labels that say nothing: what is learnt comes from the teacher.
    const blank = { ...data, targets: { shape: [256], data: new Float32Array(256) } };
    const student = modelFor('gru:8 dense', data, 2);
    const { model } = await train(student, blank, { ...options, teacher: { model: teacher, share: 1 } });
    expect((await evaluate(model, recall(200, 2))).metrics.accuracy).toBeGreaterThan(0.95);
  });

  it('refuses data that cannot be learnt from', async () => {
    const data = recall(16, 1);
    const model = modelFor('lstm:4 dense', data);
    const { targets: _, ...bare } = data;
    await expect(train(model, bare, { epochs: 1 })).rejects.toThrow('DATA_INVALID');
    const strange = { ...data, targets: { shape: [16], data: new Float32Array(16).fill(7) } };
    await expect(train(model, strange, { epochs: 1 })).rejects.toThrow('0 … 2');
    const perStep = { ...data, task: 'label', targets: { shape: [16, 8], data: new Float32Array(128) } } as const;
    await expect(train(model, perStep, { epochs: 1 })).rejects.toThrow('targets do not fit');
    await expect(train(model, { ...data, task: 'custom' }, { epochs: 1 })).rejects.toThrow('no loss');
  });

  it('regresses', async () => {
    const random = randomSource(8);
    const x = Float32Array.from({ length: 200 * 6 }, () => random() - 0.5);
    const y = Float32Array.from({ length: 200 }, (_, i) => x.subarray(i * 6, i * 6 + 6).reduce((a, b) => a + b));
    const data: Dataset = {
      ...{ name: 'sums', task: 'regress', count: 200 },
      inputs: { x: { shape: [200, 6, 1], data: x } },
      targets: { shape: [200], data: y },
    };
    for (const kind of ['squared', 'absolute', 'huber'] as const) {
      const { model } = await train(modelFor('gru:12 dense', data), data, {
        ...{ epochs: 40, batch: 20, loss: { kind, delta: 0.1 } },
        optimizer: { name: 'adam', rate: 0.02 },
        schedule: { name: 'oneCycle' },
      });
      expect((await evaluate(model, data)).metrics.r2).toBeGreaterThan(0.98);
    }
  });
});

describe('learning rates', () => {
  const at = (name: Parameters<typeof rateFactor>[0], step: number, epoch = 0, plateaus = 0) =>
    rateFactor(name, { step, total: 100, epoch, plateaus });

  it('follow their schedules', () => {
    expect(at({ name: 'constant', warmup: 4 }, 1)).toBe(0.5);
    expect(at({ name: 'constant', warmup: 4 }, 9)).toBe(1);
    expect(at({ name: 'step', every: 2, factor: 0.5 }, 50, 5)).toBe(0.25);
    expect(at({ name: 'cosine' }, 50)).toBeCloseTo(0.5, 12);
    expect(at({ name: 'cosine', floor: 0.1 }, 100)).toBeCloseTo(0.1, 12);
    expect(at({ name: 'oneCycle' }, 0)).toBeCloseTo(1 / 25, 12);
    expect(at({ name: 'oneCycle' }, 30)).toBeCloseTo(1, 12);
    expect(at({ name: 'oneCycle' }, 100)).toBeCloseTo(1e-4, 12);
    expect(at({ name: 'plateau' }, 50, 3, 2)).toBe(0.25);
  });
});
