import type { Sparsity } from '@gatefold/runtime';
import type { Backend, Companion, Matrix, Parameters } from '../../train/index.ts';
import { blockMeans, gridOf, keptOf, sparsityOf } from './masks.ts';
import type { Settled } from './options.ts';
import type { Schedule } from './schedule.ts';
import type { Chosen } from './select.ts';

/** Share of what is kept that moves at the first look (Evci et al. 2020). */
const share = 0.3;

/**
 * Training with as many weights as are kept, from the first step on: now and then the kept blocks with the smallest weights go, and as
 * many removed ones come back, at zero, where gradients are largest ("RigL"). How many falls with half a cosine.
 */
export class Mover implements Companion {
  sparsities: readonly Sparsity[];
  private readonly chosen: readonly Chosen[];
  private readonly settled: Settled;
  private readonly schedule: Schedule;
  private tracks: { readonly value: Matrix; readonly gradient: Matrix; readonly mask: Matrix }[] = [];

  constructor(chosen: readonly Chosen[], settled: Settled, schedule: Schedule, start: readonly Sparsity[]) {
    this.chosen = chosen;
    this.settled = settled;
    this.schedule = schedule;
    this.sparsities = start;
  }

  afterUpdate(parameters: Parameters, backend: Backend, { step, total }: { step: number; total: number }): void {
    if (this.tracks.length === 0) this.begin(parameters, backend);
    const { end, every } = this.schedule;
    const pace = every ?? Math.max(1, Math.round(total / 50));
    const progress = step / total;
    if (step % pace === 0 && progress < end)
      this.move(backend, (share / 2) * (1 + Math.cos((Math.PI * progress) / end)));
    for (const { value, mask } of this.tracks) backend.binary('multiply', value, mask, value, false);
  }

  private begin(parameters: Parameters, backend: Backend): void {
    const known = new Map(parameters.trained.map((parameter) => [parameter.name, parameter]));
    this.tracks = this.chosen.map(({ place }) => {
      const { value, gradient } = known.get(place.weight)!;
      return { value, gradient, mask: backend.alloc(value.rows, value.cols) };
    });
    this.writeMasks(backend);
  }

  private writeMasks(backend: Backend): void {
    this.tracks.forEach(({ mask }, i) => {
      backend.write(mask, keptOf(this.chosen[i]!, this.sparsities[i]!));
    });
  }

  private move(backend: Backend, part: number): void {
    const { block } = this.settled;
    this.sparsities = this.chosen.map((matrix, i) => {
      const { value, gradient } = this.tracks[i]!;
      const kept = this.sparsities[i]!.kept.slice();
      const grid = gridOf(matrix, block);
      const energy = (m: Matrix) =>
        blockMeans(
          Array.from(backend.read(m), (x) => x * x),
          matrix,
          block,
          grid,
        );
      const [weights, slopes] = [energy(value), energy(gradient)];
      const perGate = grid.down * grid.across;
      matrix.shares.forEach((amount, gate) => {
        if (amount === undefined) return;
        const all = Array.from({ length: perGate }, (_, k) => gate * perGate + k);
        const stay = all.filter((k) => kept[k]).sort((a, b) => weights[a]! - weights[b]! || a - b);
        const gone = all.filter((k) => !kept[k]).sort((a, b) => slopes[b]! - slopes[a]! || a - b);
        const count = Math.min(Math.floor(stay.length * part), gone.length);
        for (const k of stay.slice(0, count)) kept[k] = 0;
        for (const k of gone.slice(0, count)) kept[k] = 1;
      });
      return sparsityOf(matrix, block, kept);
    });
    this.writeMasks(backend);
  }

  snapshot(): ReadonlyMap<string, Float32Array> {
    return new Map(
      this.sparsities.map(({ kept }, i) => [`kept/${this.chosen[i]!.place.weight}`, Float32Array.from(kept)]),
    );
  }

  restore(values: ReadonlyMap<string, Float32Array>): void {
    this.sparsities = this.sparsities.map((sparsity, i) => ({
      ...sparsity,
      kept: Uint8Array.from(values.get(`kept/${this.chosen[i]!.place.weight}`)!),
    }));
    this.tracks = [];
  }
}
