import { readdirSync, readFileSync } from 'node:fs';

/** Samples that Silero VAD sees at once: 64 of the chunk before and the 512 (32 ms at 16 kHz) of a chunk. */
export const context = 64;
export const chunk = 512;
const width = context + chunk;

/**
 * Recordings with speech marked by hand (.wav, 16 kHz, 16 bits, one channel; .scv beside it) as the model takes them: frames
 * [chunks, 576], and of each chunk whether its middle is speech.
 * @param {string} folder
 */
export function recordingsOf(folder) {
  const names = readdirSync(folder).filter((name) => name.endsWith('.wav'));
  return names.map((name) => {
    const frames = framesOf(readWav(readFileSync(`${folder}/${name}`)));
    const [, ...fields] = readFileSync(`${folder}/${name.replace('.wav', '.scv')}`, 'utf8')
      .trim()
      .split(',');
    const marks = Array.from({ length: fields.length / 3 }, (_, i) => fields.slice(i * 3, i * 3 + 3).map(Number));
    const isSpeech = (seconds) => marks.some(([from, to, flag]) => flag === 1 && seconds >= from && seconds < to);
    const speech = Array.from({ length: frames.length / width }, (_, i) => isSpeech(((i + 0.5) * chunk) / 16_000));
    return { name, frames, speech };
  });
}

/**
 * Samples of a wav file of 16 bits and one channel.
 * @param {Buffer} bytes
 */
export function readWav(bytes) {
  const data = bytes.indexOf('data', 12, 'latin1');
  const count = Math.floor(Math.min(bytes.readUInt32LE(data + 4), bytes.length - data - 8) / 2);
  return Float32Array.from({ length: count }, (_, i) => bytes.readInt16LE(data + 8 + 2 * i) / 32_768);
}

/** @param {Float32Array} samples */
function framesOf(samples) {
  const chunks = Math.floor(samples.length / chunk);
  const frames = new Float32Array(chunks * width);
  for (let i = 0; i < chunks; i++) {
    const part = samples.subarray(Math.max(0, i * chunk - context), (i + 1) * chunk);
    frames.set(part, (i + 1) * width - part.length);
  }
  return frames;
}

/**
 * Frames at other loudness.
 * @param {Float32Array} frames
 * @param {number} gain
 */
export function louder(frames, gain) {
  return frames.map((sample) => sample * gain);
}

/**
 * Sequences of frames as a data set, one after the other.
 * @param {readonly Float32Array[]} sequences
 */
export function asDataset(sequences) {
  const lengths = sequences.map(({ length }) => length / width);
  const data = new Float32Array(lengths.reduce((sum, steps) => sum + steps, 0) * width);
  let at = 0;
  for (const frames of sequences) {
    data.set(frames, at);
    at += frames.length;
  }
  const shape = [sequences.length, Math.max(...lengths), width];
  return {
    name: 'speech',
    task: /** @type {const} */ ('custom'),
    count: sequences.length,
    inputs: { input: { shape, data, lengths } },
  };
}

/**
 * Share of the values that lie on the same side of one half.
 * @param {ArrayLike<number>} a
 * @param {ArrayLike<number>} b
 */
export function decisionsAgree(a, b) {
  return Array.from(a).filter((value, i) => value > 0.5 === b[i] > 0.5).length / a.length;
}
