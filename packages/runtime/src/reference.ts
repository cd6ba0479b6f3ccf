export { referenceEngine } from './engine/reference/index.ts';
