import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readWav } from '../../../../bench/lib/speech.mjs';
import { type Compressed, inPlaceArrays, inPlaceFile, inPlaceFixtures, pruned, quantized } from './onnx-in-place.ts';
import { difference } from './onnx-support.ts';
import { type Given, onnxPython, onnxruntime } from './onnxruntime.ts';

// The real onnxruntime runs files that were compressed in place.

const corpus = process.env.GATEFOLD_CORPUS;
const folder = mkdtempSync(join(tmpdir(), 'gatefold-in-place-'));
afterAll(() => rmSync(folder, { recursive: true }));

function run({ bytes }: Pick<Compressed, 'bytes'>, given: Readonly<Record<string, Given>>) {
  const model = join(folder, 'model.onnx');
  writeFileSync(model, bytes);
  return onnxruntime({ model, calls: [given] })[0]!;
}

const ways: [string, (source: Uint8Array) => Promise<Compressed>, number][] = [
  // Products in integers round operands to 8 bits.
  ['8 bits', (source) => quantized(source, { bits: 8 }), 0.06],
  ['8 bits, float32 operands', (source) => quantized(source, { bits: 8, operand: 'f32' }), 0.06],
  ['12 bits', (source) => quantized(source, { bits: 12 }), 2e-3],
  ['float16', (source) => quantized(source, { scheme: 'f16' }), 2e-3],
  ['8-bit codebooks', (source) => quantized(source, { bits: 8, scheme: 'codebook' }), 0.06],
  ['pruned a little', (source) => pruned(source, { threshold: 0.003 }), 0.03],
];

describe.skipIf(!existsSync(onnxPython)).each(inPlaceFixtures)('%s', (name) => {
  it.each(ways)('%s', async (_, make, bound) => {
    const { given, outputs } = inPlaceArrays(name);
    const feeds = name === 'branches' ? [true, false] : [undefined];
    for (const loud of feeds) {
      const own = loud === undefined ? given : { ...given, loud: { shape: [], data: [Number(loud)], type: 'bool' } };
      const theirs = run(await make(inPlaceFile(name)), own);
      // The fixture holds the outputs of one branch.
      const reference =
        loud === false ? run({ bytes: inPlaceFile(name) }, own) : mapValues(outputs, (data) => ({ data }));
      for (const [port, { data }] of Object.entries(reference)) {
        if (port !== 'hard') expect(difference(theirs[port]!.data, data), port).toBeLessThan(bound);
      }
    }
  });
});

function mapValues<A, B>(of: Readonly<Record<string, A>>, make: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(of).map(([key, value]) => [key, make(value)]));
}

describe.skipIf(!existsSync(onnxPython) || !corpus)('silero_vad_legacy_v4.onnx', () => {
  const source = corpus
    ? new Uint8Array(readFileSync(`${corpus}/models/silero-vad/silero_vad_legacy_v4.onnx`))
    : undefined;

  it('streams with 8-bit layers, and decides as before on speech', async () => {
    const { bytes } = await quantized(source!, { bits: 8 });
    expect(bytes.length).toBeLessThan(0.6 * source!.length);
    const model = join(folder, 'v4.onnx');
    const zeros = { shape: [2, 1, 64], data: new Array(128).fill(0) };
    const samples = ['04', '11', '23'].flatMap((name) => [
      ...readWav(readFileSync(`${corpus}/data/ten-vad-testset/testset-audio-${name}.wav`)),
    ]);
    const calls = Array.from({ length: Math.floor(samples.length / 512) }, (_, t) => ({
      input: { shape: [1, 512], data: samples.slice(t * 512, (t + 1) * 512) },
      sr: { shape: [], data: [16_000], type: 'int64' },
      ...(t === 0 ? { h: zeros, c: zeros } : {}),
    }));
    const [before, after] = [source!, bytes].map((file) => {
      writeFileSync(model, file);
      return onnxruntime({ model, calls, carry: { h: 'hn', c: 'cn' } }).map(({ output }) => output!.data[0]!);
    }) as [number[], number[]];
    expect(difference(after, before)).toBeLessThan(0.03);
    const agree = before.filter((chance, t) => chance > 0.5 === after[t]! > 0.5).length / before.length;
    expect(agree).toBeGreaterThan(0.99);
  }, 120_000);
});
