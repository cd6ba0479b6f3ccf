/**
 * A drawing as MNIST has its digits: cut out, scaled so that the longer side takes 20 pixels, and placed in 28 × 28 with
 * the centre of mass in the middle. `pixels` are square, 0 … 1; undefined where nothing is drawn.
 */
export function normalizeDigit(pixels, size) {
  let [left, right, top, bottom] = [size, -1, size, -1];
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      if (pixels[y * size + x] < 0.05) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
  }
  if (right < 0) return undefined;
  const scale = 20 / Math.max(right - left + 1, bottom - top + 1);
  // Mean over the source square of each target pixel.
  const mean = (x0, y0, x1, y1) => {
    let sum = 0;
    let count = 0;
    for (let y = Math.floor(y0); y < Math.max(y1, y0 + 1); y++) {
      for (let x = Math.floor(x0); x < Math.max(x1, x0 + 1); x++) {
        if (x >= 0 && y >= 0 && x < size && y < size) sum += pixels[y * size + x];
        count++;
      }
    }
    return sum / count;
  };
  const small = new Float32Array(20 * 20);
  let mass = 0;
  let mx = 0;
  let my = 0;
  for (let y = 0; y < 20; y++) {
    for (let x = 0; x < 20; x++) {
      const value = mean(left + x / scale, top + y / scale, left + (x + 1) / scale, top + (y + 1) / scale);
      small[y * 20 + x] = value;
      mass += value;
      mx += value * x;
      my += value * y;
    }
  }
  const dx = Math.round(13.5 - mx / mass);
  const dy = Math.round(13.5 - my / mass);
  const out = new Float32Array(28 * 28);
  for (let y = 0; y < 20; y++) {
    for (let x = 0; x < 20; x++) {
      const [tx, ty] = [x + dx, y + dy];
      if (tx >= 0 && ty >= 0 && tx < 28 && ty < 28) out[ty * 28 + tx] = small[y * 20 + x];
    }
  }
  return out;
}
