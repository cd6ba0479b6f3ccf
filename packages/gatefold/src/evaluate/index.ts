export { type Costs, costsOf, type EnergyEstimate, type NodeCost } from './costs.ts';
export { type DriftPoint, driftBetween, driftFromFloat64 } from './drift.ts';
export { encodingName } from './encoding-name.ts';
export { type Evaluation, evaluate, evaluateAll } from './evaluate.ts';
export { logProbability, mainMetric } from './metrics.ts';
export type { Agreement } from './pair-sums.ts';
export type { EvaluateOptions } from './sweep.ts';
export { timeSteps } from './timing.ts';
export { compareWeights, type WeightError, type WeightHistogram } from './weights.ts';
