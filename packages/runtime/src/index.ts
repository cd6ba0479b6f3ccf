export { type Cell, type CellOptions, type CellWeight, cells, type StepOps } from './cells/index.ts';
export { createSession } from './create-session.ts';
export * from './encodings/index.ts';
export type { Engine, Machine } from './engine/types.ts';
export { bestEngine, relaxedEngine, simd128Engine } from './engine/wasm/index.ts';
export { type ErrorCode, type ErrorDetail, fail, GatefoldError, showValue } from './errors/index.ts';
export * from './file/index.ts';
export { FrontEnd, type FrontEndOptions, frontEndOptions, parseFrontEnd } from './front-end/index.ts';
export { executedWeights } from './lower/index.ts';
export * from './model/index.ts';
export {
  type Activation,
  type FunctionName,
  functionNames,
  functionTable,
  isUnitBounded,
  parseActivation,
} from './numerics/activation.ts';
export { type Inputs, type Numbers, Session, type SessionOptions, Stream } from './session/index.ts';
export {
  crc32,
  float16From,
  float16To,
  packBits,
  roundUp,
  sameShape,
  sizeOf,
  type Tensor,
  unpackBits,
  utf8Decode,
} from './tensor/index.ts';
