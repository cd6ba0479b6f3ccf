export { brotliBytes } from './brotli.ts';
export { type LoadDataOptions, loadData } from './data.ts';
export { checkOutput, readBytes, writeBytes, writeFiles } from './files.ts';
export { type LoadedModel, loadModel } from './load.ts';
export { measureReport } from './measure.ts';
export { trainWorkers } from './workers.ts';
