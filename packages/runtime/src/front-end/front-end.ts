import { type MelBand, melBands } from './mel.ts';
import { type FrontEndOptions, parseFrontEnd } from './options.ts';
import { PowerSpectrum } from './power.ts';

/**
 * Turns samples into features as they come: however they are cut into pieces, the frames have the same bits. Pushing
 * allocates nothing.
 */
export class FrontEnd {
  readonly options: FrontEndOptions;
  /** Features of a frame. */
  readonly width: number;
  private readonly hann: Float64Array;
  private readonly held: Float64Array;
  private readonly frame: Float64Array;
  private readonly spectrum: PowerSpectrum;
  private readonly power: Float64Array;
  private readonly bands: readonly MelBand[];
  private readonly logs: Float64Array;
  private readonly features: Float32Array;
  /** [coefficients, bands] */
  private readonly cosines: Float64Array | undefined;
  /** Samples held of the next frame; below zero: samples to be left out before it. */
  private filled = 0;

  /** @throws MODEL_INVALID */
  constructor(options: FrontEndOptions) {
    this.options = parseFrontEnd(options, 'frontEnd');
    const { window, fft, melBands: count, coefficients } = options;
    this.width = coefficients ?? count;
    this.hann = Float64Array.from({ length: window }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / window));
    this.held = new Float64Array(window);
    this.frame = new Float64Array(window);
    this.spectrum = new PowerSpectrum(fft);
    this.power = new Float64Array(this.spectrum.bins);
    this.bands = melBands(options);
    this.logs = new Float64Array(count);
    this.features = new Float32Array(this.width);
    if (coefficients === undefined) return;
    this.cosines = Float64Array.from({ length: coefficients * count }, (_, i) => {
      const [k, n] = [Math.floor(i / count), i % count];
      return Math.sqrt((k === 0 ? 1 : 2) / count) * Math.cos((Math.PI * k * (n + 0.5)) / count);
    });
  }

  /**
   * Takes samples (full scale is ±1) and hands every frame that is complete to `due`: the array is valid during the call.
   * Returns how many there were.
   */
  push(samples: ArrayLike<number>, due: (features: Float32Array) => void): number {
    const { held } = this;
    const { window, hop } = this.options;
    let frames = 0;
    for (let i = 0; i < samples.length; i++) {
      if (this.filled >= 0) held[this.filled] = samples[i]!;
      if (++this.filled < window) continue;
      this.compute();
      due(this.features);
      frames++;
      if (hop < window) held.copyWithin(0, hop);
      this.filled = window - hop;
    }
    return frames;
  }

  /** Frames of a whole recording, [frames, width]; none where it is shorter than a window. */
  all(samples: ArrayLike<number>): { shape: [number, number]; data: Float32Array } {
    const { width } = this;
    const { window, hop } = this.options;
    const frames = samples.length < window ? 0 : Math.floor((samples.length - window) / hop) + 1;
    const data = new Float32Array(frames * width);
    let at = 0;
    this.reset();
    this.push(samples, (features) => {
      data.set(features, at);
      at += width;
    });
    this.reset();
    return { shape: [frames, width], data };
  }

  /** Forgets what was pushed. */
  reset(): void {
    this.filled = 0;
  }

  private compute(): void {
    const { hann, held, frame, power, bands, logs, cosines, features } = this;
    const { floor, mean, deviation } = this.options;
    for (let n = 0; n < frame.length; n++) frame[n] = hann[n]! * held[n]!;
    this.spectrum.of(frame, power);
    for (let b = 0; b < logs.length; b++) {
      const { from, weights } = bands[b]!;
      let sum = 0;
      for (let i = 0; i < weights.length; i++) sum += weights[i]! * power[from + i]!;
      logs[b] = Math.log(Math.max(sum, floor));
    }
    for (let k = 0; k < features.length; k++) {
      let value = logs[k]!;
      if (cosines) {
        value = 0;
        for (let n = 0; n < logs.length; n++) value += cosines[k * logs.length + n]! * logs[n]!;
      }
      // What is normalized are the features as they would be without: training knows them alone.
      if (mean || deviation) value = (Math.fround(value) - (mean?.[k] ?? 0)) / (deviation?.[k] ?? 1);
      features[k] = value;
    }
  }
}
