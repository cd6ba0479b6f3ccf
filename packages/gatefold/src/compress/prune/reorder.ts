import { decode, type Model } from '@gatefold/runtime';
import type { PassContext } from '../pass.ts';
import type { Settled } from './options.ts';
import type { Chosen } from './select.ts';
import { mapUnits } from './units/analyse.ts';
import { exchangeable, placesOf, reorderChannels } from './units/reorder.ts';

/** Sweeps over all pairs of units, at most; the gain of a sweep below which it ends. */
const mostSweeps = 30;
const leastGain = 1e-3;

/**
 * The model with hidden units in an order that gathers large weights in few blocks, which then lose less (Ji et al. 2018,
 * "TETRIS"): pairs of units change places as long as the sum of (a block's share of its gate's squares)² grows, relative
 * to that of even blocks. The model itself where no units may change places.
 */
export function reorderForBlocks(
  model: Model,
  chosen: readonly Chosen[],
  { block }: Settled,
  { signal, onProgress }: PassContext,
): Model {
  const map = mapUnits(model);
  const layouts = chosen.map(
    (matrix) => new Layout(model, matrix, block, (axis) => map.axis(matrix.place.weight, axis)),
  );
  const from = new Map<number, number>();
  for (const set of exchangeable(model, map)) {
    const concerned = layouts.filter((layout) => layout.holds(set[0]!));
    if (concerned.length === 0) continue;
    const swap = (a: number, b: number) => {
      let gain = 0;
      for (const layout of concerned) gain += layout.swap(a, b);
      return gain;
    };
    const at = new Map(set.map((channel) => [channel, channel]));
    let total = concerned.reduce((sum, layout) => sum + layout.objective(), 0);
    for (let sweep = 0; sweep < mostSweeps; sweep++) {
      let gained = 0;
      for (const [i, a] of set.entries()) {
        signal?.throwIfAborted();
        onProgress?.(sweep * set.length + i, mostSweeps * set.length, 'reordering units');
        for (const b of set.slice(i + 1)) {
          const gain = swap(a, b);
          if (gain > 1e-12) {
            gained += gain;
            const held = at.get(a)!;
            at.set(a, at.get(b)!);
            at.set(b, held);
          } else swap(a, b);
        }
      }
      total += gained;
      if (gained < leastGain * total) break;
    }
    for (const [slot, channel] of at) from.set(slot, channel);
  }
  return from.size === 0 ? model : reorderChannels(model, map, (channel) => from.get(channel) ?? channel);
}

/** One axis of a matrix: which index stands in which slot, and the block that a slot lies in. */
interface Axis {
  readonly places: ReadonlyMap<number, readonly number[]>;
  readonly at: Int32Array;
  readonly blocks: Int32Array;
}

/** The squares of a matrix by blocks, while units change places. */
class Layout {
  private readonly rows: Axis;
  private readonly columns: Axis;
  private readonly squares: Float64Array;
  private readonly across: number;
  private readonly sums: Float64Array;
  /** Changes of the blocks of one row, or column, of blocks. */
  private readonly changes: Float64Array;

  constructor(
    model: Model,
    { place, rows, columns, gateRows, diagonal }: Chosen,
    [height, width]: readonly [number, number],
    channels: (axis: 0 | 1) => Int32Array | undefined,
  ) {
    const down = Math.ceil(gateRows / height);
    this.across = Math.ceil(columns / width);
    const axis = (size: number, which: 0 | 1, blockOf: (i: number) => number): Axis => ({
      places: placesOf(channels(which) ?? []),
      at: Int32Array.from({ length: size }, (_, i) => i),
      blocks: Int32Array.from({ length: size }, (_, i) => blockOf(i)),
    });
    this.rows = axis(rows, 0, (i) => Math.floor(i / gateRows) * down + Math.floor((i % gateRows) / height));
    this.columns = axis(columns, 1, (i) => Math.floor(i / width));
    // A kept diagonal is no part of the blocks, and stays the diagonal.
    this.squares = Float64Array.from(decode(model.weights[place.weight]!), (w, i) =>
      diagonal && i % columns === Math.floor(i / columns) % gateRows ? 0 : w * w,
    );
    for (let from = 0; from < this.squares.length; from += gateRows * columns) {
      const gate = this.squares.subarray(from, from + gateRows * columns);
      const total = gate.reduce((sum, square) => sum + square, 0) || 1;
      const scale = Math.sqrt(down * this.across) / total;
      gate.forEach((square, i) => {
        gate[i] = square * scale;
      });
    }
    this.sums = new Float64Array((rows / gateRows) * down * this.across);
    this.changes = new Float64Array(Math.max(this.sums.length / this.across, this.across));
    for (let i = 0; i < rows; i++) {
      for (let k = 0; k < columns; k++) {
        this.sums[this.rows.blocks[i]! * this.across + this.columns.blocks[k]!]! += this.squares[i * columns + k]!;
      }
    }
  }

  holds(channel: number): boolean {
    return this.rows.places.has(channel) || this.columns.places.has(channel);
  }

  objective(): number {
    return this.sums.reduce((sum, block) => sum + block * block, 0);
  }

  /** Lets two channels change places. @returns by how much the objective grows */
  swap(a: number, b: number): number {
    const { across } = this;
    const width = this.columns.at.length;
    return (
      this.swapOn(this.rows, this.columns, a, b, width, 1, across, 1) +
      this.swapOn(this.columns, this.rows, a, b, 1, width, 1, across)
    );
  }

  private swapOn(
    own: Axis,
    other: Axis,
    a: number,
    b: number,
    stride: number,
    otherStride: number,
    blockStride: number,
    otherBlockStride: number,
  ): number {
    const [as, bs] = [own.places.get(a), own.places.get(b)];
    if (!as || !bs) return 0;
    const { squares, sums, changes } = this;
    let gain = 0;
    for (let k = 0; k < as.length; k++) {
      const [s, t] = [as[k]!, bs[k]!];
      const [x, y] = [own.at[s]!, own.at[t]!];
      own.at[s] = y;
      own.at[t] = x;
      const [p, q] = [own.blocks[s]!, own.blocks[t]!];
      if (p === q) continue;
      const last = other.blocks[other.blocks.length - 1]!;
      changes.fill(0, 0, last + 1);
      for (let i = 0; i < other.at.length; i++) {
        const at = other.at[i]! * otherStride;
        changes[other.blocks[i]!]! += squares[y * stride + at]! - squares[x * stride + at]!;
      }
      for (let block = 0; block <= last; block++) {
        const change = changes[block]!;
        const [i, j] = [p * blockStride + block * otherBlockStride, q * blockStride + block * otherBlockStride];
        gain += 2 * change * (sums[i]! - sums[j]! + change);
        sums[i]! += change;
        sums[j]! -= change;
      }
    }
    return gain;
  }
}
