import { blockIndex, decode, type Model } from '@gatefold/runtime';
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

/** One axis of a matrix: which row (or column) stands in which slot. */
interface Axis {
  /** The slots of each channel. */
  readonly places: ReadonlyMap<number, readonly number[]>;
  readonly at: Int32Array;
  /** Between two rows, or columns, in the matrix. */
  readonly stride: number;
  /** Of each slot, and once each: its part of the number of a block, which is the sum of both axes' parts. */
  readonly blocks: Int32Array;
  readonly distinct: readonly number[];
}

/** The squares of a matrix by blocks, while units change places. */
class Layout {
  private readonly rows: Axis;
  private readonly columns: Axis;
  private readonly squares: Float64Array;
  private readonly sums: Float64Array;
  /** By how much the blocks along an axis change, scratch. */
  private readonly changes: Float64Array;

  constructor(
    model: Model,
    { place, rows, columns, gateRows, diagonal }: Chosen,
    block: readonly [number, number],
    channels: (axis: 0 | 1) => Int32Array | undefined,
  ) {
    const blockOf = blockIndex([rows, columns], { block, gateRows });
    const axis = (which: 0 | 1, size: number, stride: number, part: (i: number) => number): Axis => {
      const blocks = Int32Array.from({ length: size }, (_, i) => part(i));
      return {
        ...{ places: placesOf(channels(which) ?? []), at: Int32Array.from(blocks.keys()) },
        ...{ stride, blocks, distinct: [...new Set(blocks)] },
      };
    };
    this.rows = axis(0, rows, columns, (row) => blockOf(row, 0));
    this.columns = axis(1, columns, 1, (column) => blockOf(0, column));
    // A kept diagonal is no part of the blocks, and stays the diagonal.
    this.squares = Float64Array.from(decode(model.weights[place.weight]!), (w, i) =>
      diagonal && i % columns === Math.floor(i / columns) % gateRows ? 0 : w * w,
    );
    const count = blockOf(rows - 1, columns - 1) + 1;
    const blocksPerGate = (count * gateRows) / rows;
    for (let from = 0; from < this.squares.length; from += gateRows * columns) {
      const gate = this.squares.subarray(from, from + gateRows * columns);
      const total = gate.reduce((sum, square) => sum + square, 0) || 1;
      const scale = Math.sqrt(blocksPerGate) / total;
      gate.forEach((square, i) => {
        gate[i] = square * scale;
      });
    }
    this.sums = new Float64Array(count);
    this.changes = new Float64Array(count);
    this.squares.forEach((square, i) => {
      this.sums[blockOf(Math.floor(i / columns), i % columns)]! += square;
    });
  }

  holds(channel: number): boolean {
    return this.rows.places.has(channel) || this.columns.places.has(channel);
  }

  objective(): number {
    return this.sums.reduce((sum, block) => sum + block * block, 0);
  }

  /** Lets two channels change places. @returns by how much the objective grows */
  swap(a: number, b: number): number {
    return this.swapAlong(this.rows, this.columns, a, b) + this.swapAlong(this.columns, this.rows, a, b);
  }

  private swapAlong(own: Axis, other: Axis, a: number, b: number): number {
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
      for (const part of other.distinct) changes[part] = 0;
      for (let i = 0; i < other.at.length; i++) {
        const at = other.at[i]! * other.stride;
        changes[other.blocks[i]!]! += squares[y * own.stride + at]! - squares[x * own.stride + at]!;
      }
      for (const part of other.distinct) {
        const change = changes[part]!;
        gain += 2 * change * (sums[p + part]! - sums[q + part]! + change);
        sums[p + part]! += change;
        sums[q + part]! -= change;
      }
    }
    return gain;
  }
}
