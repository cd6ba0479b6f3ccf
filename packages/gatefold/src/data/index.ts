export {
  type Batch,
  batches,
  checkDataset,
  type Dataset,
  type Examples,
  fitToModel,
  sliceDataset,
  type Task,
} from './dataset.ts';
export { type DataOptions, datasetFromFile } from './read.ts';
