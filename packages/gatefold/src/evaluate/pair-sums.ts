import type { Tensor } from '@gatefold/runtime';

/** What two models' outputs have in common, row by row. */
export interface Agreement {
  /** Share of rows with the same largest output (classes), NaN-free. */
  readonly agreement: number | undefined;
  readonly maxAbsDifference: number;
  /** Mean Kullback–Leibler divergence of b from a, in nats; for class outputs. */
  readonly meanKl: number | undefined;
}

/** Row-by-row comparison of two models' outputs. */
export class PairSums {
  private rows = 0;
  private same = 0;
  private divergence = 0;
  private diverged = false;
  private worst = 0;

  add(a: Tensor, b: Tensor, distributions: boolean): void {
    const width = a.shape.at(-1)!;
    this.diverged ||= distributions;
    for (let from = 0; from < a.data.length; from += width) {
      let bestA = 0;
      let bestB = 0;
      for (let i = 0; i < width; i++) {
        const pa = a.data[from + i]!;
        const pb = b.data[from + i]!;
        this.worst = Math.max(this.worst, Math.abs(pa - pb));
        if (pa > a.data[from + bestA]!) bestA = i;
        if (pb > b.data[from + bestB]!) bestB = i;
        if (distributions && pa > 0) this.divergence += pa * (Math.log(pa) - Math.log(Math.max(pb, 1e-12)));
      }
      this.rows++;
      if (bestA === bestB) this.same++;
    }
  }

  /** Undefined where the outputs could not be compared. */
  result(classes: boolean): Agreement | undefined {
    if (this.rows === 0) return undefined;
    return {
      agreement: classes ? this.same / this.rows : undefined,
      maxAbsDifference: this.worst,
      meanKl: this.diverged ? Math.max(0, this.divergence / this.rows) : undefined,
    };
  }
}
