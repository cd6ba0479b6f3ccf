import {
  type Agreement,
  type Costs,
  type DriftPoint,
  type Evaluation,
  mainMetric,
  type WeightError,
  type WeightHistogram,
} from '../evaluate/index.ts';

/** One model of a report with all that was measured of it. */
export interface Candidate {
  readonly name: string;
  readonly file?: string;
  readonly costs: Costs;
  readonly evaluation?: Evaluation;
  /** Against the first model of the report. */
  readonly versusFirst?: Agreement;
  readonly microsecondsPerStep?: number;
  readonly drift?: readonly DriftPoint[];
  readonly errors?: readonly WeightError[];
  readonly histograms?: readonly WeightHistogram[];
}

/** What a comparison shows: the original first, then what was made of it. */
export interface Report {
  readonly title: string;
  /** Data, split, seeds, in words. */
  readonly data?: string;
  /** Engine, platform, versions. */
  readonly environment: string;
  readonly candidates: readonly Candidate[];
}

/** The metric that an evaluation is judged by, where it has one: data may bring metrics of their own alone. */
export function judgedBy(evaluation: Evaluation | undefined): ReturnType<typeof mainMetric> | undefined {
  if (!evaluation || evaluation.task === 'custom') return undefined;
  const metric = mainMetric(evaluation.task);
  return evaluation.metrics[metric.name] === undefined ? undefined : metric;
}

/** Ratios of a candidate to the first: above 1 is smaller or faster. */
export function ratiosOf(first: Candidate, candidate: Candidate) {
  return {
    /** Against the plain float32 weights. */
    float32: first.costs.float32Bytes / candidate.costs.bytes,
    bytes: first.costs.bytes / candidate.costs.bytes,
    macs: first.costs.macsPerStep / Math.max(1, candidate.costs.macsPerStep),
    ...(first.microsecondsPerStep && candidate.microsecondsPerStep
      ? { time: first.microsecondsPerStep / candidate.microsecondsPerStep }
      : {}),
  };
}

/** The report for machines: everything that a person sees. */
export function reportJson({ title, data, environment, candidates }: Report) {
  const [first] = candidates;
  const summary = ({ costs, evaluation, microsecondsPerStep, name, file }: Candidate) => {
    const { nodes, ...rest } = costs;
    return {
      name,
      ...(file ? { file } : {}),
      metrics: evaluation?.metrics ?? {},
      examples: evaluation?.examples ?? 0,
      ...rest,
      microsecondsPerStep: microsecondsPerStep ?? null,
      nodes,
    };
  };
  const others = candidates.slice(1).map((candidate) => ({
    ...summary(candidate),
    ...(candidate.versusFirst ?? {}),
    ratios: ratiosOf(first!, candidate),
    ...(candidate.drift ? { drift: candidate.drift } : {}),
    errors: candidate.errors ?? [],
  }));
  const single =
    others.length === 1
      ? {
          b: others[0],
          agreement: others[0]!.agreement ?? null,
          maxAbsDifference: others[0]!.maxAbsDifference ?? null,
          meanKl: others[0]!.meanKl ?? null,
          drift: others[0]!.drift ?? null,
          ratios: others[0]!.ratios,
        }
      : {};
  return { title, data: data ?? null, environment, a: summary(first!), ...single, candidates: others };
}
