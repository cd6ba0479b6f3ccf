import { refuse, type ScheduleOptions } from './options.ts';

/** A schedule with defaults filled in. */
export interface Schedule {
  readonly shape: NonNullable<ScheduleOptions['shape']>;
  readonly begin: number;
  readonly end: number;
  readonly initial: number;
  readonly every: number | undefined;
}

/** @throws OPTION_INVALID */
export function settleSchedule(options: ScheduleOptions = {}): Schedule {
  const { shape = 'cubic', begin = 0, end = shape === 'once' ? 0 : 0.6, initial = 0, every } = options;
  if (!(begin >= 0 && begin <= end && end <= 1))
    refuse('schedule', '0 ≤ begin ≤ end ≤ 1', `begin ${begin}, end ${end}`);
  if (!(initial >= 0 && initial < 1)) refuse('schedule.initial', 'a share below 1', String(initial));
  if (every !== undefined && !(Number.isInteger(every) && every >= 1)) {
    refuse('schedule.every', 'a whole number from 1', String(every));
  }
  if (typeof shape !== 'string') {
    const rising = shape.every(([at, share], i) => {
      const [before, less] = shape[i - 1] ?? [0, 0];
      return at >= before && at <= 1 && share >= less && share <= 1;
    });
    if (shape.length === 0 || !rising || shape.at(-1)![1] !== 1) {
      refuse('schedule', 'points [progress, share] that rise and end with share 1', JSON.stringify(shape));
    }
  }
  return { shape, begin, end: typeof shape === 'string' ? end : shape.at(-1)![0], initial, every };
}

/** Share of the goal that is removed when training has gone so far (0 … 1). */
export function shareAt({ shape, begin, end, initial }: Schedule, progress: number): number {
  if (typeof shape !== 'string') return pointsAt(shape, progress);
  if (progress >= end) return 1;
  if (progress < begin) return initial;
  const t = (progress - begin) / (end - begin);
  return initial + (1 - initial) * (shape === 'linear' ? t : 1 - (1 - t) ** 3);
}

function pointsAt(points: readonly (readonly [number, number])[], progress: number): number {
  const next = points.findIndex(([at]) => at > progress);
  if (next < 0) return 1;
  const [to, high] = points[next]!;
  const [from, low] = points[next - 1] ?? [0, 0];
  return to === from ? high : low + ((high - low) * (progress - from)) / (to - from);
}

/** The first epoch (from 0) at whose end everything is removed that shall be. */
export function firstEpoch({ end }: Schedule, epochs = 3): number {
  return Math.max(0, Math.ceil(end * epochs - 1e-9) - 1);
}
