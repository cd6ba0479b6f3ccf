import { decode, denseWeight, fail, type Model, type Sparsity, type Weight } from '@gatefold/runtime';
import type { PassContext } from '../pass.ts';
import { type Joint, jointly } from './joint.ts';
import { chooseKept, keptOf, sparsityOf } from './masks.ts';
import type { Settled } from './options.ts';
import { needsData } from './scores.ts';
import type { Chosen, Cut } from './select.ts';

/** Columns among which the share is reached at a time. */
const span = 128;

/**
 * Removes weights and lets those that stay take over what they did, so that W·x changes least on the data: optimal brain surgeon,
 * column by column as Frantar & Alistarh 2023 ("SparseGPT"), with the states h among the data of recurrent matrices. The data are
 * looked at once, for any shares.
 * @throws DATA_INVALID without calibration data; MODEL_UNSUPPORTED for coded weights; OPTION_INVALID (from the function) where a gate
 * would be left with nothing
 */
export function prepareSurgery(
  model: Model,
  chosen: readonly Chosen[],
  { calibration }: PassContext,
): (chosen: readonly Chosen[], settled: Settled) => Cut {
  if (!calibration) needsData('criterion obs', 'calibration data', '--calibrate');
  for (const { place } of chosen) {
    if (model.weights[place.weight]!.encoding.kind === 'dense') continue;
    fail('MODEL_UNSUPPORTED', 'codes cannot take over what removed weights did', {
      place: `${place.node.name}/${place.role}`,
      hint: 'prune before quantizing',
    });
  }
  const joints = jointly(model, chosen, calibration(model));
  return (matrices, settled) => {
    const weights: Record<string, Weight> = { ...model.weights };
    const byWeight = new Map(matrices.map((matrix) => [matrix.place.weight, matrix]));
    for (const joint of joints) {
      const parts = joint.parts.map(({ place }) => byWeight.get(place.weight)!);
      const { values, kept, shift } = surgery(model, { ...joint, parts }, settled);
      parts.forEach(({ place: { weight } }, k) => {
        weights[weight] = { ...denseWeight(model.weights[weight]!.shape, values[k]!), sparsity: kept[k]! };
      });
      const bias = joint.bias === undefined ? undefined : weights[joint.bias];
      if (bias) {
        const moved = decode(bias).map((value, row) => value + shift[row]!);
        weights[joint.bias!] = denseWeight(bias.shape, moved);
      }
    }
    const sparsities = matrices.map(({ place }) => weights[place.weight]!.sparsity!);
    return { model: { ...model, weights }, sparsities };
  };
}

function surgery(
  model: Model,
  { parts, moments, isSeen }: Joint,
  settled: Settled,
): { values: Float32Array[]; kept: Sparsity[]; shift: Float64Array } {
  const { rows } = parts[0]!;
  const width = parts.reduce((sum, { columns }) => sum + columns, 0) + 1;
  const w = new Float64Array(rows * width);
  let at = 0;
  for (const { place, columns } of parts) {
    const values = decode(model.weights[place.weight]!);
    for (let row = 0; row < rows; row++) w.set(values.subarray(row * columns, (row + 1) * columns), row * width + at);
    at += columns;
  }
  // Without moments every column is worth the same and none can help another.
  const factor = moments?.factor ?? identity(width);
  const step = spanOf(settled);
  at = 0;
  const kept = parts.map((part) => {
    const pieces: Piece[] = [];
    for (let from = 0; from < part.columns; from += step) {
      const columns = Math.min(step, part.columns - from);
      const piece = { ...part, columns };
      const [sparsity] = chooseKept([piece], [scoresIn(w, width, at + from, rows, columns, factor)], settled);
      const stays = keptOf(piece, sparsity!);
      eliminate({ w, width, factor, isSeen }, at + from, columns, stays);
      pieces.push({ columns, sparsity: sparsity! });
    }
    at += part.columns;
    return joined(part, pieces);
  });
  const shift = Float64Array.from({ length: rows }, (_, row) => w[(row + 1) * width - 1]!);
  let start = 0;
  const values = parts.map(({ columns }) => {
    const out = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      out.set(w.subarray(row * width + start, row * width + start + columns), row * columns);
    }
    start += columns;
    return out;
  });
  return { values, kept, shift };
}

interface Piece {
  readonly columns: number;
  readonly sparsity: Sparsity;
}

/** Whole blocks and patterns must fit. */
function spanOf({ block, amount }: Settled): number {
  const unit = amount.kind === 'pattern' ? amount.of : block[1];
  return Math.max(1, Math.floor(span / unit)) * unit;
}

/** What removing each weight alone would cost at best: w² / [H⁻¹]. */
function scoresIn(
  w: Float64Array,
  width: number,
  from: number,
  rows: number,
  columns: number,
  factor: Float64Array,
): Float64Array {
  const out = new Float64Array(rows * columns);
  for (let i = 0; i < out.length; i++) {
    const [row, column] = [Math.floor(i / columns), from + (i % columns)];
    out[i] = (w[row * width + column]! / factor[column * width + column]!) ** 2;
  }
  return out;
}

interface Table {
  /** Rows of `width` columns. */
  readonly w: Float64Array;
  readonly width: number;
  readonly factor: Float64Array;
  readonly isSeen: (row: number) => boolean;
}

/** Sets what is not kept to zero and hands its part on to all columns behind. */
function eliminate({ w, width, factor, isSeen }: Table, from: number, columns: number, kept: Uint8Array): void {
  for (let row = 0; row < kept.length / columns; row++) {
    const line = w.subarray(row * width, (row + 1) * width);
    for (let k = 0; k < columns; k++) {
      if (kept[row * columns + k]) continue;
      const column = from + k;
      const at = column * width;
      const error = isSeen(row) ? line[column]! / factor[at + column]! : 0;
      for (let j = column + 1; j < width; j++) line[j] = line[j]! - error * factor[at + j]!;
      line[column] = 0;
    }
  }
}

/** Pieces side by side. */
function joined(part: Chosen, pieces: readonly Piece[]): Sparsity {
  const { block } = pieces[0]!.sparsity;
  const widths = pieces.map(({ columns }) => Math.ceil(columns / block[1]));
  const across = widths.reduce((sum, n) => sum + n, 0);
  const down = pieces[0]!.sparsity.kept.length / widths[0]!;
  const kept = new Uint8Array(down * across);
  let at = 0;
  pieces.forEach(({ sparsity }, i) => {
    for (let row = 0; row < down; row++) {
      kept.set(sparsity.kept.subarray(row * widths[i]!, (row + 1) * widths[i]!), row * across + at);
    }
    at += widths[i]!;
  });
  return sparsityOf(part, block, kept);
}

function identity(n: number): Float64Array {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) out[i * n + i] = 1;
  return out;
}
