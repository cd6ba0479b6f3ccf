import { fail } from '@gatefold/runtime';

/** A recording, its channels averaged. */
export interface Sound {
  /** Samples per second. */
  readonly sampleRate: number;
  /** Full scale is ±1. */
  readonly samples: Float32Array;
}

/** How samples stand in a file. */
interface Layout {
  readonly float: boolean;
  readonly bits: number;
  readonly channels: number;
  readonly sampleRate: number;
}

/** Format numbers: plain ones, and the wrapper whose subformat begins with one of them. */
const formats = { pcm: 1, float: 3, extensible: 0xfffe } as const;
const largest = 2 ** 28;

/**
 * Reads a WAV file: PCM of 8, 16, 24 or 32 bits, float of 32 or 64, any number of channels (averaged).
 * @throws DATA_INVALID
 */
export function readWav(bytes: Uint8Array, place: string): Sound {
  const refuse = (message: string, detail: { expected?: string; found?: string; hint?: string } = {}): never =>
    fail('DATA_INVALID', message, { place, ...detail });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 12 || tag(0) !== 'RIFF' || tag(8) !== 'WAVE') {
    return refuse('not a WAV file', {
      expected: 'RIFF … WAVE',
      found: JSON.stringify(`${tag(0)} … ${tag(8)}`),
      hint: 'convert other sound files first, for instance with ffmpeg -i SOUND out.wav',
    });
  }
  let layout: Layout | undefined;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const [name, size] = [tag(at), view.getUint32(at + 4, true)];
    const start = at + 8;
    if (start + size > bytes.length) {
      return refuse(`the file ends inside its "${name}" chunk`, {
        expected: `${start + size} bytes`,
        found: `${bytes.length}`,
      });
    }
    if (name === 'fmt ') layout = layoutOf(view, start, size, refuse);
    if (name === 'data') {
      if (!layout) return refuse('the samples come before their format');
      return soundOf(view, start, size, layout, place, refuse);
    }
    // Chunks begin at even places.
    at = start + size + (size % 2);
  }
  return refuse('the file holds no samples', { expected: 'a chunk "data"' });
}

type Refuse = (message: string, detail?: { expected?: string; found?: string }) => never;

function layoutOf(view: DataView, at: number, size: number, refuse: Refuse): Layout {
  if (size < 16) return refuse('the format chunk is too short', { expected: '16 bytes', found: `${size}` });
  const outer = view.getUint16(at, true);
  if (outer === formats.extensible && size < 26) refuse('the format chunk is too short', { expected: '40 bytes' });
  const format = outer === formats.extensible ? view.getUint16(at + 24, true) : outer;
  const [channels, sampleRate] = [view.getUint16(at + 2, true), view.getUint32(at + 4, true)];
  const [block, bits] = [view.getUint16(at + 12, true), view.getUint16(at + 14, true)];
  const float = format === formats.float;
  if (format !== formats.pcm && !float) {
    refuse('the samples are compressed', { expected: 'PCM (1) or float (3)', found: `format ${format}` });
  }
  const known = float ? [32, 64] : [8, 16, 24, 32];
  if (!known.includes(bits))
    refuse('samples of this size are not read', { expected: known.join(' | '), found: `${bits}` });
  if (channels < 1 || block !== (channels * bits) / 8) {
    refuse('channels and bytes do not fit', { found: `${channels} channels, ${block} bytes, ${bits} bits` });
  }
  if (sampleRate < 1) refuse('the file says no sample rate', { found: `${sampleRate}` });
  return { float, bits, channels, sampleRate };
}

function soundOf(
  view: DataView,
  start: number,
  size: number,
  { float, bits, channels, sampleRate }: Layout,
  place: string,
  refuse: Refuse,
): Sound {
  const each = bits / 8;
  const count = size / (each * channels);
  if (!Number.isInteger(count)) refuse('the last sample is cut off', { found: `${size} bytes` });
  if (count > largest)
    refuse('the recording is too long', { expected: `at most ${largest} samples`, found: `${count}` });
  const sample = sampleReader(view, float, bits);
  const samples = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += sample(start + (i * channels + c) * each);
    samples[i] = sum / channels;
    if (!Number.isFinite(samples[i])) {
      fail('DATA_INVALID', 'a sample is not finite', { place: `${place}: sample ${i}`, found: String(sum) });
    }
  }
  return { sampleRate, samples };
}

function sampleReader(view: DataView, float: boolean, bits: number): (at: number) => number {
  if (float) return bits === 32 ? (at) => view.getFloat32(at, true) : (at) => view.getFloat64(at, true);
  switch (bits) {
    case 8:
      // The one size without a sign.
      return (at) => (view.getUint8(at) - 128) / 128;
    case 16:
      return (at) => view.getInt16(at, true) / 32768;
    case 24:
      return (at) => ((view.getInt8(at + 2) << 16) | view.getUint16(at, true)) / 8388608;
    default:
      return (at) => view.getInt32(at, true) / 2147483648;
  }
}
