import type { Architecture } from './architecture.ts';

/** Element types as safetensors calls them. */
export type StoredType = 'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'I16' | 'I8' | 'U8' | 'BOOL';

/** A tensor of a state dict: its values are decoded when they are asked for. */
export interface StateTensor {
  readonly dtype: StoredType;
  readonly shape: readonly number[];
  /** Equal for tensors that are the same memory: tied weights. */
  readonly identity: string;
  /** Row-major values, as float32. @throws MODEL_UNSUPPORTED where the type holds no weights */
  values(): Float32Array;
  /** The elements as they are stored, row-major and little-endian. */
  raw(): Uint8Array;
}

/** Tensors by their keys, in the order of the file. */
export type StateDict = ReadonlyMap<string, StateTensor>;

/** What is known of a module without running it: its kind and its options, or its kind alone. */
export interface ModuleEntry {
  /** Prefix of its keys, without the last dot; empty for a state dict of one module. */
  readonly path: string;
  /** Class such as `torch.nn.modules.rnn.LSTM` where the file tells it. */
  readonly className?: string;
  /** Attributes of the module that are plain numbers, words, lists or null, where the file tells them. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Its own tensors by their names within the module. */
  readonly tensors: ReadonlyMap<string, StateTensor>;
  /** Path of the Sequential that it stands in, where the file tells it: the order in there is certain. */
  readonly sequence?: string;
}

/** The network that code in the file describes, and what to know of it; or why that was not followed. */
export type Followed =
  | { readonly architecture: Architecture; readonly notes: readonly string[] }
  | { readonly reason: string };

/** What a door found in its file: the modules in their order, and every tensor. */
export interface WeightFile {
  readonly tensors: StateDict;
  readonly modules: readonly ModuleEntry[];
  /** Whether the order of the modules is that of their definition; some files sort their keys. */
  readonly isOrdered: boolean;
  /** Bytes of the file: what its tensors hold in all is near that, unless they overlap. */
  readonly size: number;
  /** How the tensors came: for `origin`. */
  readonly container: string;
  /** Where the file holds code. */
  readonly followed?: Followed;
  /** Plain values that stood beside the weights and help people to decide. */
  readonly beside: Readonly<Record<string, unknown>>;
}
