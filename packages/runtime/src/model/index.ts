export { type Analysis, analyse, graphOf, type NodeAnalysis, portShape, validate } from './analyse.ts';
export { OpContext, type OpDefinition, showShape, type ValueType } from './context.ts';
export { binaryFunctions, normalizationKinds, reduceFunctions } from './ops/elementwise.ts';
export { ops } from './ops/index.ts';
export { cellOf, gatesOf, usesOf } from './ops/recurrent.ts';
export { ChunkRows, hasTime, staticLength, type TimeClass } from './time.ts';
export type {
  Attributes,
  AttributeValue,
  DataType,
  Dim,
  Graph,
  Model,
  Node,
  OutputPort,
  Port,
  PortState,
} from './types.ts';
