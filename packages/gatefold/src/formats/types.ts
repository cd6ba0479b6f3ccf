import type { Granularity, Model } from '@gatefold/runtime';
import type { Calibration } from '../compress/index.ts';

export interface ReadOptions {
  /** Text of an architecture file beside the weights. */
  readonly architecture?: string;
  readonly name?: string;
  /**
   * Reads a file that stands beside the model's (shards, external data), by its path relative to the model's folder; the
   * caller refuses paths that leave the folder.
   */
  readonly beside?: (path: string) => Promise<Uint8Array>;
  /**
   * Lengths that the file leaves open and the caller knows: `time` for the steps of all inputs, `input[1]` for those of one. Of
   * ONNX files any length by its name (`sequence`, `input[2]`), a number for a scalar input, an array for one that is to be
   * constant.
   */
  readonly fix?: Readonly<Record<string, FixedValue>>;
  /** Leaves states that go from an output back to an input as ports; by default they become the cells' own. */
  readonly explicitStates?: boolean;
}

export type FixedValue = number | { readonly shape: readonly number[]; readonly data: ArrayLike<number> };

export interface WriteOptions {
  /** The file the model came from, for formats that keep what Gatefold has no meaning for. */
  readonly source?: Uint8Array;
  /** Files beside that one, as {@link ReadOptions} has it. */
  readonly beside?: ReadOptions['beside'];
  /**
   * Whether the states of recurrent cells are inputs and outputs of the file, or start at zero in every call. By default inputs and
   * outputs where the model came with such states or has stateful layers; TensorFlow Lite files then have variables.
   */
  readonly explicitStates?: boolean | undefined;
  /** Sequences to measure ranges on, for formats that hold activations as integers; as the model takes them, fresh on every call. */
  readonly calibration?: Calibration | undefined;
  /** Whether inputs and outputs of a file with integer activations are integers too, as on microcontrollers; default: float32. */
  readonly integerPorts?: boolean | undefined;
}

/** A model with weights of another file, and which layer of that gave them to which node. */
export interface LentModel {
  readonly model: Model;
  readonly taken: readonly { readonly node: string; readonly layer: string }[];
}

/** A node that stays as it is where a file is compressed in place, and why. */
export interface LeftNode {
  readonly name: string;
  readonly op: string;
  readonly reason: string;
}

/** What can be compressed of a file that is not understood as a whole. */
export interface FileParts {
  /** The layers that hold matrices, each with an input and an output of its own: passes work on it, but it does not compute. */
  readonly model: Model;
  /** Layers of the same kinds that stay as they are. */
  readonly left: readonly LeftNode[];
  /** All other nodes, counted by their ops. */
  readonly rest: Readonly<Record<string, number>>;
}

/** A written model: its main file and the files that must stand beside it, by their names. */
export interface WrittenModel {
  readonly bytes: Uint8Array;
  readonly beside?: ReadonlyMap<string, Uint8Array>;
  /** What a person should know of the file, in sentences. */
  readonly notes?: readonly string[];
}

/** Bounds on what goes into the gates (ONNX), on the cell state, and on what x gives to the gates (TensorFlow Lite). */
export type CellBound = 'clip' | 'cellClip' | 'inputClip';

/** A file format: one folder of its own and one line in `registry.ts`. */
export interface Format {
  readonly name: string;
  /** How it is called in a sentence: "a Keras model (.h5, .keras)". */
  readonly title: string;
  /** Extensions, without the dot, of the files that `write` makes. */
  readonly extensions: readonly string[];
  /** What the quantize command takes where it is not told otherwise, so that the format can hold the codes. */
  readonly quantizeDefaults?: { readonly granularity: Granularity };
  /** Whether the matrices of a node must be coded alike, so that precisions cannot be chosen weight by weight. */
  readonly codedAlike?: boolean;
  /** Whether `read` itself gives the lengths of {@link ReadOptions.fix} and refuses those that the file does not have. */
  readonly fixes?: boolean;
  /** Whether the bytes claim to be of this format, by their content. Cheap, never throws. */
  is(bytes: Uint8Array): boolean;
  /** @throws FILE_*, MODEL_* */
  read(bytes: Uint8Array, options: ReadOptions): Promise<{ readonly model: Model; readonly version: string }>;
  /** Text of an architecture file for weights without a graph, filled with what the file tells. @throws FILE_*, MODEL_* */
  template?(bytes: Uint8Array): string;
  /** For files whose layers have names: a model of any format with the weights of the file. @throws FILE_*, MODEL_* */
  lend?(bytes: Uint8Array, model: Model): LentModel;
  /**
   * For formats without a graph: the model with the weights of a file that was written from it. @throws FILE_*
   */
  reread?(bytes: Uint8Array, model: Model): Model;
  /**
   * For formats whose writer puts matrices back into the source file: the layers of a file that `read` refuses. @throws FILE_*,
   * MODEL_UNSUPPORTED where there are none
   */
  readParts?(bytes: Uint8Array, options: ReadOptions): Promise<FileParts>;
  /** Bounds of recurrent cells that the format has; models with others are refused before `write` sees them. */
  readonly cellBounds?: readonly CellBound[];
  /** @throws MODEL_UNSUPPORTED naming what the format cannot hold */
  write?(model: Model, options: WriteOptions): Promise<WrittenModel>;
}
