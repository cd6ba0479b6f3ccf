export { match, matricesOf, type Place } from './address.ts';
export { finetune } from './finetune.ts';
export { given } from './given.ts';
export type {
  Calibration,
  CalibrationBatches,
  PassChange,
  PassContext,
  PassResult,
  SearchResult,
  Sensitivity,
} from './pass.ts';
export {
  type Criterion,
  criterionNames,
  dataNeeded,
  keepZeros,
  type PruneOptions,
  prune,
  type ScannedPlace,
  type ScheduleOptions,
  scanSensitivity,
} from './prune/index.ts';
export { type PruneTokensOptions, pruneTokens, pruneTokensSchema, removeTokens } from './prune/tokens.ts';
export {
  chooseUnits,
  type PruneUnitsOptions,
  pruneUnits,
  pruneUnitsSchema,
  removeUnits,
} from './prune/units/index.ts';
export { type AwareSettings, quantizeAware } from './quantize/aware.ts';
export { type QuantizeOptions, quantize, type Scheme, schemes } from './quantize/index.ts';
export { type ActivationRanges, type Interval, measureRanges, type StepRanges } from './ranges.ts';
export { quantizeBySensitivity, type SearchSettings } from './sensitivity/index.ts';
export type { TrainSettings } from './train-settings.ts';
