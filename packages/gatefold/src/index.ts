export * from './compress/index.ts';
export * from './data/index.ts';
export * from './evaluate/index.ts';
export {
  architectureTemplate,
  type FileParts,
  type ReadModel,
  type ReadOptions,
  readModel,
  readParts,
  withWeightsOf,
  writerFor,
} from './formats/index.ts';
export * from './recipe/index.ts';
export * from './report/index.ts';
export * from './train/index.ts';
