import type { PickleValue } from '../pickle/index.ts';
import type { CodeOf } from './script/index.ts';

/** A file's pickle, interpreted as data; its tensors find their memory themselves. */
export interface OpenedFile {
  readonly root: PickleValue;
  /** Bytes of the file. */
  readonly size: number;
  readonly container: 'zip' | 'legacy' | 'torchscript';
  /** Of TorchScript: text of the files under `code/`. */
  readonly code?: CodeOf;
  /** For people: "zip 3". */
  readonly version: string;
}
