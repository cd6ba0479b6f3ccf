import type { Sparsity } from '@gatefold/runtime';
import type { Backend, Companion, Matrix, Parameters } from '../../train/index.ts';
import { dataNeeded, kindOf } from './criteria.ts';
import { chooseKept, keptOf, sparsityOf } from './masks.ts';
import type { Settled } from './options.ts';
import { type Schedule, shareAt } from './schedule.ts';
import { scored } from './scores.ts';
import type { Chosen } from './select.ts';

/** One matrix that is pruned while it is trained. */
interface Track {
  readonly value: Matrix;
  readonly gradient: Matrix;
  readonly mask: Matrix;
  /** What removed weights were when they went: with that they may come back (Zhu & Gupta 2017). */
  readonly dormant: Matrix;
  readonly scratch: Matrix;
  /** What the criterion remembers of gradients. */
  readonly memory: Float64Array | undefined;
}

export interface PrunerOptions {
  readonly chosen: readonly Chosen[];
  readonly settled: Settled;
  readonly schedule: Schedule;
  readonly seed: number;
  /** What calibration data say of every weight, for criteria that look at them. */
  readonly statistics?: readonly ((index: number) => number)[];
}

/**
 * Prunes while training: at each look those that score lowest are removed, until the schedule ends; what was removed before is judged
 * by what it was, and may come back. After that the choice is final.
 */
export class Pruner implements Companion {
  private readonly options: PrunerOptions;
  private tracks: Track[] = [];
  /** What is removed now. */
  sparsities: readonly Sparsity[] = [];

  constructor(options: PrunerOptions) {
    this.options = options;
  }

  afterUpdate(parameters: Parameters, backend: Backend, { step, total }: { step: number; total: number }): void {
    const { schedule } = this.options;
    if (this.tracks.length === 0) this.begin(parameters, backend);
    const progress = step / total;
    const every = schedule.every ?? Math.max(1, Math.round(total / 100));
    this.remember(backend);
    for (const { value, mask, dormant, scratch } of this.tracks) {
      // Removed weights do not move: what the update did to them, without ever seeing what they do, is noise.
      backend.binary('multiply', value, mask, scratch, false);
      backend.binary('add', scratch, dormant, scratch, false);
    }
    const before = (step - 1) / total;
    const moving = progress >= schedule.begin && before < schedule.end;
    if (moving && (step % every === 0 || progress >= schedule.end)) {
      this.look(backend, shareAt(schedule, progress));
    }
    for (const { value, mask, dormant, scratch } of this.tracks) {
      backend.binary('multiply', scratch, mask, value, false);
      backend.binary('subtract', scratch, value, dormant, false);
    }
  }

  private begin(parameters: Parameters, backend: Backend): void {
    const { chosen, settled } = this.options;
    const { statistic } = kindOf(settled.criterion);
    const remembers = statistic === 'course' || dataNeeded(settled.criterion) === 'training';
    const known = new Map(parameters.trained.map((parameter) => [parameter.name, parameter]));
    this.tracks = chosen.map(({ place }) => {
      const { value, gradient } = known.get(place.weight)!;
      const alloc = () => backend.alloc(value.rows, value.cols);
      const track: Track = {
        ...{ value, gradient, mask: alloc(), dormant: alloc(), scratch: alloc() },
        memory: remembers ? new Float64Array(value.rows * value.cols) : undefined,
      };
      backend.fill(track.mask, 1);
      backend.fill(track.dormant, 0);
      return track;
    });
  }

  /** Criteria of gradients look at means over about a hundred updates; movement at the whole way. */
  private remember(backend: Backend): void {
    const { statistic } = kindOf(this.options.settled.criterion);
    for (const { memory, gradient, value, dormant } of this.tracks) {
      if (!memory) continue;
      const g = backend.read(gradient);
      if (statistic === 'course') {
        const [w, d] = [backend.read(value), backend.read(dormant)];
        for (let i = 0; i < g.length; i++) memory[i] = memory[i]! - (w[i]! + d[i]!) * g[i]!;
      } else {
        const squared = statistic === 'E[g²]';
        for (let i = 0; i < g.length; i++) {
          memory[i] = 0.99 * memory[i]! + 0.01 * (squared ? g[i]! * g[i]! : Math.abs(g[i]!));
        }
      }
    }
  }

  private look(backend: Backend, share: number): void {
    const { chosen, settled } = this.options;
    const scores = this.tracks.map((track, i) => this.scores(backend, track, i));
    this.sparsities = chooseKept(chosen, scores, settled, share);
    this.writeMasks(backend);
  }

  private writeMasks(backend: Backend): void {
    const { chosen } = this.options;
    this.sparsities.forEach((sparsity, i) => {
      backend.write(this.tracks[i]!.mask, keptOf(chosen[i]!, sparsity));
    });
  }

  private scores(backend: Backend, { scratch, memory }: Track, index: number): Float64Array {
    const { settled, seed, statistics } = this.options;
    const statistic = memory ? (k: number) => memory[k]! : (statistics?.[index] ?? (() => 1));
    return scored(backend.read(scratch), settled.criterion, statistic, { seed, index });
  }

  snapshot(backend: Backend): ReadonlyMap<string, Float32Array> {
    const out = new Map<string, Float32Array>();
    this.tracks.forEach(({ dormant, memory }, i) => {
      const { weight } = this.options.chosen[i]!.place;
      if (this.sparsities[i]) out.set(`kept/${weight}`, Float32Array.from(this.sparsities[i]!.kept));
      out.set(`dormant/${weight}`, Float32Array.from(backend.read(dormant)));
      if (memory) out.set(`memory/${weight}`, Float32Array.from(memory));
    });
    return out;
  }

  restore(values: ReadonlyMap<string, Float32Array>, parameters: Parameters, backend: Backend): void {
    if (values.size === 0) return;
    this.begin(parameters, backend);
    this.tracks.forEach(({ dormant, memory }, i) => {
      const { weight } = this.options.chosen[i]!.place;
      backend.write(dormant, values.get(`dormant/${weight}`)!);
      memory?.set(values.get(`memory/${weight}`)!);
    });
    const { chosen, settled } = this.options;
    this.sparsities = chosen.flatMap((matrix) => {
      const kept = values.get(`kept/${matrix.place.weight}`);
      const block = settled.amount.kind === 'pattern' ? ([1, 1] as const) : settled.block;
      return kept ? [sparsityOf(matrix, block, Uint8Array.from(kept))] : [];
    });
    this.writeMasks(backend);
  }
}
