// DTLN's signal path (Westhausen and Meyer, 2020): frames of 512 samples every 128; the first part makes a mask for magnitudes of the
// spectrum, the second works on what is left in a basis that it has learnt; its frames are added up where they overlap.

const size = 512;
const hop = 128;
const bins = size / 2 + 1;

/**
 * The spectrum of each frame, or, with `inverse`, frames of spectra: FFT over 512 complex numbers in place.
 * @param {Float64Array} re
 * @param {Float64Array} im
 * @param {boolean} inverse
 */
function transform(re, im, inverse) {
  for (let i = 1, j = 0; i < size; i++) {
    let bit = size >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j |= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  for (let half = 1; half < size; half *= 2) {
    const angle = ((inverse ? 1 : -1) * Math.PI) / half;
    for (let k = 0; k < half; k++) {
      const [c, s] = [Math.cos(angle * k), Math.sin(angle * k)];
      for (let i = k; i < size; i += 2 * half) {
        const j = i + half;
        const [x, y] = [re[j] * c - im[j] * s, re[j] * s + im[j] * c];
        [re[j], im[j], re[i], im[i]] = [re[i] - x, im[i] - y, re[i] + x, im[i] + y];
      }
    }
  }
  if (inverse) for (let i = 0; i < size; i++) [re[i], im[i]] = [re[i] / size, im[i] / size];
}

/**
 * Samples at 16 kHz without their noise, 384 samples late. Each part is a function from rows to rows, frame after frame:
 * magnitudes [frames, 257] → mask, frames [frames, 512] → frames.
 * @param {(magnitudes: Float32Array) => Float32Array} mask
 * @param {(frames: Float32Array) => Float32Array} refine
 * @param {Float32Array} samples
 */
export function denoise(mask, refine, samples) {
  const count = Math.floor(samples.length / hop);
  const spectra = Array.from({ length: count }, (_, t) => {
    const [re, im] = [new Float64Array(size), new Float64Array(size)];
    for (let i = 0; i < size; i++) re[i] = samples[(t + 1) * hop - size + i] ?? 0;
    transform(re, im, false);
    return { re, im };
  });
  const magnitudes = new Float32Array(count * bins);
  spectra.forEach(({ re, im }, t) => {
    for (let k = 0; k < bins; k++) magnitudes[t * bins + k] = Math.hypot(re[k], im[k]);
  });
  const masks = mask(magnitudes);
  const frames = new Float32Array(count * size);
  spectra.forEach(({ re, im }, t) => {
    for (let k = 0; k < size; k++) {
      const share = masks[t * bins + Math.min(k, size - k)];
      re[k] *= share;
      im[k] *= share;
    }
    transform(re, im, true);
    frames.set(re, t * size);
  });
  const refined = refine(frames);
  const out = new Float32Array(count * hop + size);
  for (let i = 0; i < refined.length; i++) out[Math.floor(i / size) * hop + (i % size)] += refined[i];
  return out.subarray(0, count * hop);
}

/**
 * Scale-invariant signal-to-distortion ratio of a signal to a reference, in dB (Le Roux et al. 2019).
 * @param {Float32Array} signal
 * @param {Float32Array} reference
 */
export function siSdr(signal, reference) {
  let [product, power] = [0, 0];
  for (let i = 0; i < reference.length; i++) {
    product += signal[i] * reference[i];
    power += reference[i] ** 2;
  }
  const scale = product / power;
  let error = 0;
  for (let i = 0; i < reference.length; i++) error += (signal[i] - scale * reference[i]) ** 2;
  return 10 * Math.log10((scale * scale * power) / error);
}
