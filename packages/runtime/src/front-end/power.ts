/** Power spectra of real frames, float64; everything is laid out once. */
export class PowerSpectrum {
  /** size/2 + 1 */
  readonly bins: number;
  private readonly half: number;
  private readonly real: Float64Array;
  private readonly imaginary: Float64Array;
  /** cos and sin of 2πk/size, k < size/2. */
  private readonly cosine: Float64Array;
  private readonly sine: Float64Array;
  private readonly swapped: Uint32Array;

  /** `size` is a power of two, at least 4. */
  constructor(size: number) {
    const half = size / 2;
    this.bins = half + 1;
    this.half = half;
    this.real = new Float64Array(half);
    this.imaginary = new Float64Array(half);
    this.cosine = Float64Array.from({ length: half }, (_, k) => Math.cos((2 * Math.PI * k) / size));
    this.sine = Float64Array.from({ length: half }, (_, k) => Math.sin((2 * Math.PI * k) / size));
    const bits = Math.log2(half);
    this.swapped = Uint32Array.from({ length: half }, (_, i) => {
      let out = 0;
      for (let b = 0; b < bits; b++) out |= ((i >> b) & 1) << (bits - 1 - b);
      return out;
    });
  }

  /** |Σ frame[n]·e^(−2πikn/size)|² for k = 0 … size/2; what the frame lacks of the size is zero. */
  of(frame: Float64Array, power: Float64Array): void {
    const { half, real, imaginary, cosine, sine, swapped } = this;
    // Even samples are the real parts, odd samples the imaginary parts of a transform of half the size.
    for (let i = 0; i < half; i++) {
      const at = 2 * swapped[i]!;
      real[i] = at < frame.length ? frame[at]! : 0;
      imaginary[i] = at + 1 < frame.length ? frame[at + 1]! : 0;
    }
    for (let width = 2; width <= half; width *= 2) this.combine(width);
    for (let k = 0; k <= half; k++) {
      const i = k === half ? 0 : k;
      const j = k === 0 ? 0 : half - k;
      const evenReal = (real[i]! + real[j]!) / 2;
      const evenImaginary = (imaginary[i]! - imaginary[j]!) / 2;
      const oddReal = (imaginary[i]! + imaginary[j]!) / 2;
      const oddImaginary = (real[j]! - real[i]!) / 2;
      const c = k === half ? -1 : cosine[k]!;
      const s = k === half ? 0 : sine[k]!;
      const a = evenReal + c * oddReal + s * oddImaginary;
      const b = evenImaginary + c * oddImaginary - s * oddReal;
      power[k] = a * a + b * b;
    }
  }

  /** Pairs of transforms of width/2 become transforms of `width`. */
  private combine(width: number): void {
    const { half, real, imaginary, cosine, sine } = this;
    const stride = (2 * half) / width;
    for (let from = 0; from < half; from += width) {
      for (let k = 0; k < width / 2; k++) {
        const c = cosine[k * stride]!;
        const s = sine[k * stride]!;
        const i = from + k;
        const j = i + width / 2;
        const re = real[j]! * c + imaginary[j]! * s;
        const im = imaginary[j]! * c - real[j]! * s;
        real[j] = real[i]! - re;
        imaginary[j] = imaginary[i]! - im;
        real[i] = real[i]! + re;
        imaginary[i] = imaginary[i]! + im;
      }
    }
  }
}
