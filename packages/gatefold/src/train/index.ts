export { modelFor } from './architecture.ts';
export { bestBuild } from './backend/builds.ts';
export type { Backend, Matrix } from './backend/types.ts';
export { WasmBackend } from './backend/wasm.ts';
export { type Checkpoint, readCheckpoint, writeCheckpoint } from './checkpoint.ts';
export { bestPath } from './ctc.ts';
export { holdOut } from './hold-out.ts';

export { type Channel, serveReplica, type Workers } from './parallel.ts';
export type { Parameters } from './parameters.ts';
export { gradientMoments } from './probe.ts';
export { randomFor } from './random.ts';
export { type Companion, type TrainEvent, type TrainOptions, type TrainResult, train } from './trainer.ts';
