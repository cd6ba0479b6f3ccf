export { type Batch, batches, padTogether, reordered, sliceDataset, sliceSteps } from './batches.ts';
export {
  checkDataset,
  type Dataset,
  type Examples,
  type ModelUnderTest,
  type Task,
  tasks,
} from './dataset.ts';
export { fitToModel } from './fit.ts';
export { type ManifestEntry, readManifest } from './manifest.ts';
export { type DataOptions, datasetFromFile } from './read.ts';
export { fromSounds, type NamedSound, type SoundOptions } from './sounds.ts';
export { firstIdsOf, type Symbols, symbolsOf, tokenInputs, withSymbols } from './symbols.ts';
