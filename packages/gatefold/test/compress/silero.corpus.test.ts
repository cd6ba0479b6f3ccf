import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSession, type Model, readGatefold, writeGatefold } from '@gatefold/runtime';
import { afterAll, expect, it } from 'vitest';
import { asDataset, chunk, context, decisionsAgree, louder, recordingsOf } from '../../../../bench/lib/speech.mjs';
import { quantize, quantizeBySensitivity } from '../../src/compress/index.ts';
import { batches } from '../../src/data/index.ts';
import { readNpz, writeNpz } from '../../src/data/npz.ts';
import { readModel } from '../../src/formats/index.ts';

const corpus = process.env.GATEFOLD_CORPUS!;
const root = fileURLToPath(new URL('../../../../', import.meta.url));
const python = process.env.GATEFOLD_ONNX_PYTHON ?? `${root}interop/.venv-onnx/bin/python`;
const file = `${corpus}/models/silero-vad/silero_vad_16k_op15.onnx`;
const folder = mkdtempSync(join(tmpdir(), 'gatefold-silero-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Calibration hears these; all that is stated is measured on the rest. */
const heard = 8;
const gains = { 'as recorded': 1, '−20 dB': 0.1 };

type Recording = ReturnType<typeof recordingsOf>[number];

/** Probabilities of speech, recording by recording. */
function ours(model: Model, recordings: readonly Recording[], gain: number): Float32Array[] {
  const session = createSession(model);
  return recordings.map(({ frames }) => session.run(louder(frames, gain)).output!.data);
}

/** The same of onnxruntime, call by call; undefined where it is not there (`interop/setup.sh onnx`). */
function onnxruntime(recordings: readonly Recording[], gain: number): Float32Array[] | undefined {
  if (!existsSync(python)) return undefined;
  const [given, answers] = [join(folder, 'in.npz'), join(folder, 'out.npz')];
  const width = context + chunk;
  writeFileSync(
    given,
    writeNpz(
      recordings.map(({ name, frames }) => [
        name,
        { shape: [frames.length / width, width], data: louder(frames, gain) },
      ]),
    ),
  );
  const script = `${root}interop/onnx_stream.py`;
  execFileSync(python, [script, file, given, answers, 'input', 'state=stateN', 'sr=16000']);
  const arrays = readNpz(readFileSync(answers));
  return recordings.map(({ name }) => Float32Array.from(arrays.get(name)!.data as ArrayLike<number>));
}

const flat = (parts: readonly Float32Array[]) => parts.flatMap((values) => [...values]);
const agreement = (a: readonly Float32Array[], b: readonly Float32Array[]) => decisionsAgree(flat(a), flat(b));

/** Share of chunks that are marked by hand as they are decided. */
function accuracy(values: readonly Float32Array[], recordings: readonly Recording[]): number {
  const rows = values.flatMap((each, i) => [...each].map((value, k) => value > 0.5 === recordings[i]!.speech[k]));
  return rows.filter(Boolean).length / rows.length;
}

it('Silero VAD keeps its decisions in less than half of its bytes', { timeout: 480_000 }, async () => {
  const source = new Uint8Array(readFileSync(file));
  const { model } = await readModel(source, { fix: { sequence: context + chunk } });
  const all = recordingsOf(`${corpus}/data/ten-vad-testset`);
  const [known, unheard] = [all.slice(0, heard), all.slice(heard)];
  const data = asDataset(Object.values(gains).flatMap((gain) => known.map(({ frames }) => louder(frames, gain))));
  const calibration = () => batches(data, 64);
  const start = performance.now();
  const { model: made, changes, search } = quantizeBySensitivity(model, {}, { agreement: 0.998 }, { calibration });
  const seconds = (performance.now() - start) / 1000;
  const small = writeGatefold(made);
  const uniform = quantize(model, { bits: 8 }).model;
  const lines = [
    `${search.runs} models in ${seconds.toFixed(0)} s: ${changes.map(({ place, after }) => `${place} ${after}`).join(', ')}`,
    `${source.length} bytes → ${small.length}, ${(source.length / small.length).toFixed(2)}× smaller`,
  ];
  const found: number[] = [];
  for (const [name, gain] of Object.entries(gains)) {
    const float = ours(model, unheard, gain);
    const reference = onnxruntime(unheard, gain);
    const coded = ours(readGatefold(small), unheard, gain);
    const share = (values: number) => `${(values * 100).toFixed(2)} %`;
    lines.push(
      `${name}: ${share(agreement(reference ?? float, coded))} of ${float.reduce((n, { length }) => n + length, 0)} decisions as ` +
        `${reference ? 'onnxruntime' : 'float'}’s (int8 everywhere: ${share(agreement(float, ours(uniform, unheard, gain)))}); ` +
        `right by hand: float ${share(accuracy(float, unheard))}, coded ${share(accuracy(coded, unheard))}`,
    );
    found.push(agreement(reference ?? float, coded));
    if (reference) {
      const apart = float.map((values, i) =>
        values.reduce((m, v, k) => Math.max(m, Math.abs(v - reference[i]![k]!)), 0),
      );
      expect(Math.max(...apart), name).toBeLessThan(1e-4);
    }
  }
  process.stdout.write(`${lines.join('\n')}\n`);
  expect(Math.min(...found)).toBeGreaterThanOrEqual(0.995);
  expect(source.length / small.length).toBeGreaterThan(2);
});
