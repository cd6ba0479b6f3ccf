import { keptWeights, type Sparsity } from '@gatefold/runtime';
import type { Backend, Companion, Matrix, Parameters } from '../../train/index.ts';
import { chooseKept, sparsityOf } from './masks.ts';
import type { Criterion, Settled } from './options.ts';
import { type Schedule, shareAt } from './schedule.ts';
import { randomScores } from './scores.ts';
import type { Chosen } from './select.ts';

/** One matrix that is pruned while it is trained. */
interface Track {
  readonly value: Matrix;
  readonly gradient: Matrix;
  readonly mask: Matrix;
  /** What removed weights would be by now: they learn on unseen, and may come back (Guo et al. 2016). */
  readonly dormant: Matrix;
  readonly scratch: Matrix;
  /** Running means that the criterion looks at. */
  readonly memory: Float64Array | undefined;
}

export interface PrunerOptions {
  readonly chosen: readonly Chosen[];
  readonly settled: Settled;
  readonly schedule: Schedule;
  readonly seed: number;
  /** Mean squares of the operands, by column; for criterion wanda. */
  readonly powers?: readonly (Float64Array | undefined)[];
  /** What is removed at the beginning. */
  readonly start?: readonly Sparsity[];
}

/**
 * Prunes while training: weights that are removed are zero in every step, but go on learning, and those that score lowest at each
 * look are the removed ones until the schedule ends. After that the choice is final.
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
    for (const track of this.tracks) {
      // What the update did to removed weights is kept aside.
      if (globalThis.process?.env.FREEZE) backend.binary('multiply', track.value, track.mask, track.value, false);
      backend.binary('add', track.value, track.dormant, track.scratch, false);
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
    const { chosen, settled, start } = this.options;
    const known = new Map(parameters.trained.map((parameter) => [parameter.name, parameter]));
    this.tracks = chosen.map(({ place }, i) => {
      const { value, gradient } = known.get(place.weight)!;
      const alloc = () => backend.alloc(value.rows, value.cols);
      const track: Track = {
        ...{ value, gradient, mask: alloc(), dormant: alloc(), scratch: alloc() },
        memory: remembers(settled.criterion) ? new Float64Array(value.rows * value.cols) : undefined,
      };
      backend.fill(track.mask, 1);
      backend.fill(track.dormant, 0);
      if (start) backend.write(track.mask, keptOf(chosen[i]!, start[i]!));
      return track;
    });
    this.sparsities = start ?? [];
  }

  /** Criteria of gradients look at means over about a hundred updates; movement at the whole way. */
  private remember(backend: Backend): void {
    const { criterion } = this.options.settled;
    for (const { memory, gradient, value, dormant } of this.tracks) {
      if (!memory) continue;
      const g = backend.read(gradient);
      if (criterion === 'movement') {
        const [w, d] = [backend.read(value), backend.read(dormant)];
        for (let i = 0; i < g.length; i++) memory[i] = memory[i]! - (w[i]! + d[i]!) * g[i]!;
      } else {
        const squared = criterion === 'fisher';
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
    this.tracks.forEach(({ mask }, i) => {
      backend.write(mask, keptOf(chosen[i]!, this.sparsities[i]!));
    });
  }

  private scores(backend: Backend, { scratch, memory }: Track, index: number): Float64Array {
    const { settled, seed, powers, chosen } = this.options;
    const { criterion } = settled;
    const w = backend.read(scratch);
    if (criterion === 'random') return randomScores(w.length, seed, index);
    const power = powers?.[index];
    const { columns } = chosen[index]!;
    const score = (value: number, i: number): number => {
      if (criterion === 'wanda') return value ** 2 * (power ? power[(i % columns) % power.length]! : 1);
      if (criterion === 'movement') return memory![i]!;
      if (criterion === 'fisher') return value ** 2 * memory![i]!;
      if (criterion === 'gradient') return memory![i]! ** 2;
      if (criterion === 'taylor') return (value * memory![i]!) ** 2;
      return value ** 2;
    };
    return Float64Array.from(w, score);
  }

  snapshot(backend: Backend): ReadonlyMap<string, Float32Array> {
    const out = new Map<string, Float32Array>();
    this.tracks.forEach(({ mask, dormant, memory }, i) => {
      const { weight } = this.options.chosen[i]!.place;
      out.set(`mask/${weight}`, Float32Array.from(backend.read(mask)));
      if (this.sparsities[i]) out.set(`kept/${weight}`, Float32Array.from(this.sparsities[i]!.kept));
      out.set(`dormant/${weight}`, Float32Array.from(backend.read(dormant)));
      if (memory) out.set(`memory/${weight}`, Float32Array.from(memory));
    });
    return out;
  }

  restore(values: ReadonlyMap<string, Float32Array>, parameters: Parameters, backend: Backend): void {
    if (values.size === 0) return;
    this.begin(parameters, backend);
    this.tracks.forEach(({ mask, dormant, memory }, i) => {
      const { weight } = this.options.chosen[i]!.place;
      backend.write(mask, values.get(`mask/${weight}`)!);
      backend.write(dormant, values.get(`dormant/${weight}`)!);
      memory?.set(values.get(`memory/${weight}`)!);
    });
    const { chosen, settled } = this.options;
    this.sparsities = chosen.flatMap((matrix) => {
      const kept = values.get(`kept/${matrix.place.weight}`);
      const block = settled.amount.kind === 'pattern' ? ([1, 1] as const) : settled.block;
      return kept ? [sparsityOf(matrix, block, Uint8Array.from(kept))] : [];
    });
  }
}

function remembers(criterion: Criterion): boolean {
  return ['movement', 'fisher', 'gradient', 'taylor'].includes(criterion);
}

function keptOf({ rows, columns }: Chosen, sparsity: Sparsity): Uint8Array {
  return keptWeights({ shape: [rows, columns], sparsity })!;
}
