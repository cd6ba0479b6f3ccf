import { readdirSync, readFileSync } from 'node:fs';
import type { Dataset } from '../../src/data/index.ts';

/** Samples that the model sees at once: 64 of the chunk before and the 512 (32 ms at 16 kHz) of a chunk. */
export const context = 64;
export const chunk = 512;

export interface Recording {
  readonly name: string;
  /** [chunks, 576], as the model takes them. */
  readonly frames: Float32Array;
  /** Of each chunk, whether its middle was marked as speech by hand. */
  readonly speech: readonly boolean[];
}

/** Recordings with speech segments marked by hand: 16 kHz, 16 bits, one channel. */
export function recordingsOf(folder: string): Recording[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.wav'))
    .map((name) => {
      const samples = readWav(readFileSync(`${folder}/${name}`));
      const frames = framesOf(samples);
      const [, ...fields] = readFileSync(`${folder}/${name.replace('.wav', '.scv')}`, 'utf8')
        .trim()
        .split(',');
      const segments = Array.from({ length: fields.length / 3 }, (_, i) => fields.slice(i * 3, i * 3 + 3).map(Number));
      const chunks = frames.length / (context + chunk);
      const speech = Array.from({ length: chunks }, (_, i) => {
        const at = ((i + 0.5) * chunk) / 16_000;
        return segments.some(([from, to, flag]) => flag === 1 && at >= from! && at < to!);
      });
      return { name, frames, speech };
    });
}

function readWav(bytes: Buffer): Float32Array {
  const data = bytes.indexOf('data', 12, 'latin1');
  const count = Math.floor(Math.min(bytes.readUInt32LE(data + 4), bytes.length - data - 8) / 2);
  return Float32Array.from({ length: count }, (_, i) => bytes.readInt16LE(data + 8 + 2 * i) / 32_768);
}

function framesOf(samples: Float32Array): Float32Array {
  const chunks = Math.floor(samples.length / chunk);
  const frames = new Float32Array(chunks * (context + chunk));
  for (let i = 0; i < chunks; i++) {
    const from = Math.max(0, i * chunk - context);
    const part = samples.subarray(from, (i + 1) * chunk);
    frames.set(part, (i + 1) * (context + chunk) - part.length);
  }
  return frames;
}

/** The recordings as sequences of a model, each as loud as `gains` say. */
export function asDataset(name: string, recordings: readonly Recording[], gains: readonly number[] = [1]): Dataset {
  const width = context + chunk;
  const all = gains.flatMap((gain) => recordings.map(({ frames }) => frames.map((sample) => sample * gain)));
  const lengths = all.map(({ length }) => length / width);
  const data = new Float32Array(lengths.reduce((sum, steps) => sum + steps, 0) * width);
  let at = 0;
  for (const frames of all) {
    data.set(frames, at);
    at += frames.length;
  }
  const shape = [all.length, Math.max(...lengths), width];
  return { name, task: 'custom', count: all.length, inputs: { input: { shape, data, lengths } } };
}
