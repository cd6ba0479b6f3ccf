/** How the learning rate moves. Factors multiply the optimizer's rate. */
export interface ScheduleOptions {
  readonly name: 'constant' | 'step' | 'cosine' | 'oneCycle' | 'plateau';
  /** Steps over which the rate first rises from 0. */
  readonly warmup?: number;
  /** step: after so many epochs; plateau: after so many epochs without improvement. */
  readonly every?: number;
  /** step and plateau: what the rate is then multiplied by. */
  readonly factor?: number;
  /** cosine: the share of the rate that is left at the end. */
  readonly floor?: number;
}

export interface ScheduleState {
  /** Steps done, of `total`. */
  readonly step: number;
  readonly total: number;
  readonly epoch: number;
  /** How often the rate was lowered because validation did not improve. */
  readonly plateaus: number;
}

const cosine = (share: number) => 0.5 * (1 + Math.cos(Math.PI * Math.min(1, share)));

/** oneCycle (Smith 2018): where the rate is highest, and what shares of it it starts and ends with. */
const peak = 0.3;
const start = 1 / 25;
const end = 1e-4;

/** The factor of the learning rate. */
export function rateFactor(options: ScheduleOptions, { step, total, epoch, plateaus }: ScheduleState): number {
  const { name, warmup = 0, every = 1, factor = name === 'plateau' ? 0.5 : 0.1, floor = 0 } = options;
  const rise = step < warmup ? (step + 1) / warmup : 1;
  const share = (step - warmup) / Math.max(1, total - warmup);
  switch (name) {
    case 'constant':
      return rise;
    case 'step':
      return rise * factor ** Math.floor(epoch / every);
    case 'cosine':
      return step < warmup ? rise : floor + (1 - floor) * cosine(share);
    case 'oneCycle': {
      const done = step / Math.max(1, total);
      if (done < peak) return start + (1 - start) * (1 - cosine(done / peak));
      return end + (1 - end) * cosine((done - peak) / (1 - peak));
    }
    case 'plateau':
      return rise * factor ** plateaus;
  }
}
