/** Samples of ±1 as a WAV file, each channel the same but for its factor. */
export function wavOf(
  samples: ArrayLike<number>,
  {
    sampleRate = 8000,
    bits = 16,
    float = false,
    factors = [1],
    extensible = false,
  }: { sampleRate?: number; bits?: number; float?: boolean; factors?: readonly number[]; extensible?: boolean } = {},
): Uint8Array {
  const each = bits / 8;
  const block = each * factors.length;
  const formatSize = extensible ? 40 : 16;
  const size = samples.length * block;
  // A chunk that nobody needs, of an odd size, stands before the samples.
  const before = 12 + 8 + formatSize + 8 + 4;
  const bytes = new Uint8Array(before + 8 + size);
  const view = new DataView(bytes.buffer);
  const tag = (at: number, text: string) =>
    bytes.set(
      [...text].map((letter) => letter.charCodeAt(0)),
      at,
    );
  tag(0, 'RIFF');
  view.setUint32(4, bytes.length - 8, true);
  tag(8, 'WAVEfmt ');
  view.setUint32(16, formatSize, true);
  view.setUint16(20, extensible ? 0xfffe : float ? 3 : 1, true);
  view.setUint16(22, factors.length, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * block, true);
  view.setUint16(32, block, true);
  view.setUint16(34, bits, true);
  if (extensible) view.setUint16(44, float ? 3 : 1, true);
  tag(20 + formatSize, 'LIST');
  view.setUint32(24 + formatSize, 3, true);
  tag(before, 'data');
  view.setUint32(before + 4, size, true);
  for (let i = 0; i < samples.length; i++) {
    factors.forEach((factor, c) => {
      const at = before + 8 + i * block + c * each;
      const value = factor * samples[i]!;
      if (float && bits === 64) view.setFloat64(at, value, true);
      else if (float) view.setFloat32(at, value, true);
      else {
        const code = Math.max(-(2 ** (bits - 1)), Math.min(2 ** (bits - 1) - 1, Math.round(value * 2 ** (bits - 1))));
        for (let k = 0; k < each; k++) bytes[at + k] = (bits === 8 ? code + 128 : Math.floor(code / 256 ** k)) & 255;
      }
    });
  }
  return bytes;
}

/** A tone of so many Hz with some noise. */
export function toneOf(hertz: number, count: number, random: () => number, sampleRate = 8000): Float32Array {
  const phase = random() * 6;
  const loud = 0.3 + 0.4 * random();
  return Float32Array.from(
    { length: count },
    (_, i) => loud * Math.sin(phase + (2 * Math.PI * hertz * i) / sampleRate) + 0.05 * (random() - 0.5),
  );
}
