import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { evaluate } from '../../src/evaluate/index.ts';
import { loadData } from '../../src/node/index.ts';
import { modelFor, train } from '../../src/train/index.ts';

it('learns spoken digits: trained on the official part, judged on the other 300 recordings', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatefold-digits-'));
  try {
    const recordings = join(process.env.GATEFOLD_CORPUS!, 'data/fsdd/recordings');
    for (const file of readdirSync(recordings)) {
      const [, digit, index] = /^(\d)_\w+_(\d+)\.wav$/.exec(file)!;
      const part = join(folder, Number(index) < 5 ? 'test' : 'train', digit!);
      mkdirSync(part, { recursive: true });
      symlinkSync(join(recordings, file), join(part, file));
    }
    const data = await loadData(`${folder}:train`, { frontEnd: 'mfcc:20' });
    const model = modelFor('gru:64 dense', data);
    const unseen = await loadData(`${folder}:test`, {}, model);
    expect([data.count, unseen.count]).toEqual([2700, 300]);
    const trained = await train(model, data, {
      ...{ epochs: 8, dropout: 0.1, schedule: { name: 'cosine' } },
      optimizer: { name: 'adam', rate: 0.005, clipNorm: 1 },
    });
    const { accuracy } = (await evaluate(trained.model, unseen)).metrics;
    expect(accuracy).toBeGreaterThan(0.975);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 120_000);
