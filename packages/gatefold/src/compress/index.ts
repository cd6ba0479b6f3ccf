export { match, matricesOf, type Place } from './address.ts';
export { finetune } from './finetune.ts';
export type { CalibrationBatches, PassChange, PassContext, PassResult } from './pass.ts';
export {
  type Criterion,
  keepZeros,
  type PruneOptions,
  prune,
  type ScheduleOptions,
  type Sensitivity,
  scanSensitivity,
} from './prune/index.ts';
export { quantizeAware } from './quantize/aware.ts';
export { type QuantizeOptions, quantize, type Scheme } from './quantize/index.ts';
export type { TrainSettings } from './train-settings.ts';
