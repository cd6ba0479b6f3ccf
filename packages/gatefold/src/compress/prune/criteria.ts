/**
 * What tells important weights. A score is a function of the weight and of something that is known of its place; scores are squares,
 * so that the mean over a block is its energy, and for single weights the order is that of the criterion itself.
 */
interface CriterionKind {
  /** What the statistic is, and so which data it needs. */
  readonly statistic?: 'E|g|' | 'E[g²]' | 'E[x²]' | 'moments' | 'course';
  /** Absent where scores are not made weight by weight. */
  readonly score?: (weight: number, statistic: number) => number;
}

export const criteria = {
  magnitude: { score: (w) => w * w },
  /** The control. */
  random: {},
  gradient: { statistic: 'E|g|', score: (_, g) => g * g },
  /** First order: Molchanov et al. 2019. */
  taylor: { statistic: 'E|g|', score: (w, g) => (w * g) ** 2 },
  /** The diagonal of the empirical Fisher matrix: Theis et al. 2018. */
  fisher: { statistic: 'E[g²]', score: (w, g) => w * w * g },
  /** Sun et al. 2024. */
  wanda: { statistic: 'E[x²]', score: (w, x) => w * w * x },
  /** Frantar & Alistarh 2023; see obs.ts. */
  obs: { statistic: 'moments' },
  /** −Σ w·g over the course of training: Sanh et al. 2020. */
  movement: { statistic: 'course', score: (_, course) => course },
} as const satisfies Record<string, CriterionKind>;

export type Criterion = keyof typeof criteria;

export const criterionNames = Object.keys(criteria) as [Criterion, ...Criterion[]];

/** How a criterion scores a weight, and by what. */
export function kindOf(criterion: Criterion): CriterionKind {
  return criteria[criterion];
}

/** Which data a criterion looks at, training apart. */
export function dataNeeded(criterion: Criterion): 'training' | 'calibration' | undefined {
  const { statistic } = kindOf(criterion);
  if (statistic === 'E|g|' || statistic === 'E[g²]') return 'training';
  return statistic === 'E[x²]' || statistic === 'moments' ? 'calibration' : undefined;
}
