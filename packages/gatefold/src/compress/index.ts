export { match, matricesOf, type Place } from './address.ts';
export type { CalibrationBatches, PassChange, PassContext, PassResult } from './pass.ts';
export { type QuantizeOptions, quantize, type Scheme } from './quantize/index.ts';
