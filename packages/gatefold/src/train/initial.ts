import { normal } from './random.ts';

/** Uniform within ±√(6/(rows + columns)) (Glorot & Bengio 2010). */
export function glorot(rows: number, cols: number, random: () => number): Float32Array {
  const span = Math.sqrt(6 / (rows + cols));
  return Float32Array.from({ length: rows * cols }, () => (2 * random() - 1) * span);
}

export function normalValues(count: number, deviation: number, random: () => number): Float32Array {
  return Float32Array.from({ length: count }, () => deviation * normal(random));
}

/** A random orthogonal matrix: rows of normal numbers, made orthogonal one by one (modified Gram–Schmidt). */
export function orthogonal(size: number, random: () => number): Float32Array {
  const rows: Float64Array[] = [];
  while (rows.length < size) {
    const row = Float64Array.from({ length: size }, () => normal(random));
    for (const earlier of rows) {
      let dot = 0;
      for (let i = 0; i < size; i++) dot += earlier[i]! * row[i]!;
      for (let i = 0; i < size; i++) row[i]! -= dot * earlier[i]!;
    }
    const norm = Math.hypot(...row);
    // A row that lies in the span of the earlier ones is drawn anew.
    if (norm > 1e-6) rows.push(row.map((value) => value / norm));
  }
  const out = new Float32Array(size * size);
  rows.forEach((row, i) => {
    out.set(row, i * size);
  });
  return out;
}
