import type { FrontEndOptions } from './options.ts';

/** Where the slaney scale turns from linear to logarithmic: 1 kHz, mel 15, and its steps. */
const turn = { hertz: 1000, mel: 15, linear: 200 / 3, logarithmic: Math.log(6.4) / 27 };

function melOf(hertz: number, scale: FrontEndOptions['melScale']): number {
  if (scale === 'htk') return 2595 * Math.log10(1 + hertz / 700);
  if (hertz < turn.hertz) return hertz / turn.linear;
  return turn.mel + Math.log(hertz / turn.hertz) / turn.logarithmic;
}

function hertzOf(mel: number, scale: FrontEndOptions['melScale']): number {
  if (scale === 'htk') return 700 * (10 ** (mel / 2595) - 1);
  return mel < turn.mel ? mel * turn.linear : turn.hertz * Math.exp((mel - turn.mel) * turn.logarithmic);
}

/** A band as the bins it weighs. */
export interface MelBand {
  readonly from: number;
  readonly weights: Float64Array;
}

/** Triangles over the bins of a power spectrum; their corners are equally far apart in mel. */
export function melBands({
  sampleRate,
  fft,
  melBands,
  lowest,
  highest,
  melScale,
  melNorm,
}: FrontEndOptions): MelBand[] {
  const [low, high] = [melOf(lowest, melScale), melOf(highest, melScale)];
  const corners = Array.from({ length: melBands + 2 }, (_, i) =>
    hertzOf(low + ((high - low) * i) / (melBands + 1), melScale),
  );
  return Array.from({ length: melBands }, (_, band) => {
    const [left, middle, right] = corners.slice(band, band + 3) as [number, number, number];
    const height = melNorm === 'area' ? 2 / (right - left) : 1;
    const weights = Array.from({ length: fft / 2 + 1 }, (_, bin) => {
      const hertz = (bin * sampleRate) / fft;
      return height * Math.max(0, Math.min((hertz - left) / (middle - left), (right - hertz) / (right - middle)));
    });
    const from = weights.findIndex((weight) => weight > 0);
    const count = weights.filter((weight) => weight > 0).length;
    // A band between two bins has none.
    return { from: Math.max(0, from), weights: Float64Array.from(weights.slice(from, from + count)) };
  });
}
