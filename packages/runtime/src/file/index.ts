export { containerVersion, isGatefold, readGatefold, writeGatefold } from './gatefold.ts';
export {
  isSafetensors,
  readSafetensors,
  type SafetensorsFile,
  type StoredTensor,
  writeSafetensors,
} from './safetensors.ts';
