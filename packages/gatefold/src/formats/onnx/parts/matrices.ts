import { gateOrder, reorder } from '../ops/recurrent-weights.ts';
import type { Site, Slot } from './find.ts';

/** Names of a slot's weights in the model of parts, one for each direction. */
export function weightNames({ cell }: Site, { held }: Slot, keyOf: (held: Slot['held']) => string): string[] {
  const key = keyOf(held);
  return cell?.directions === 2 ? [`${key}/forward`, `${key}/backward`] : [key];
}

/** Names of a site's nodes in the model of parts, one for each direction. */
export function nodeNames({ name, cell }: Site): string[] {
  return cell?.directions === 2 ? [`${name}/forward`, `${name}/backward`] : [name];
}

/** [rows, columns] of a slot's matrices in the model of parts. */
export function matrixShape({ form }: Site, { held }: Slot): [rows: number, columns: number] {
  const [a, b] = held.tensor.dims.slice(-2) as [number, number];
  return form === 'columns' ? [b, a] : [a, b];
}

/** The tensor's numbers as Gatefold's matrices [rows, columns], one for each direction. */
export function fromFile(site: Site, slot: Slot, data: Float32Array): Float32Array[] {
  const [rows, columns] = matrixShape(site, slot);
  if (!site.cell) return [site.form === 'columns' ? turned(data, columns, rows) : data];
  const { name, units, directions } = site.cell;
  return Array.from({ length: directions }, (_, d) =>
    reorder(data, d * rows * columns, units * columns, gateOrder[name], false),
  );
}

/** The way back: the tensor's numbers in the file's order. */
export function toFile(site: Site, slot: Slot, matrices: readonly Float32Array[]): Float32Array {
  const [rows, columns] = matrixShape(site, slot);
  if (!site.cell) return site.form === 'columns' ? turned(matrices[0]!, rows, columns) : matrices[0]!;
  const size = site.cell.units * columns;
  const out = new Float32Array(matrices.length * rows * columns);
  matrices.forEach((matrix, d) => {
    gateOrder[site.cell!.name].forEach((gate, k) => {
      out.set(matrix.subarray(k * size, (k + 1) * size), d * rows * columns + gate * size);
    });
  });
  return out;
}

function turned(data: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = data[r * columns + c]!;
  return out;
}
