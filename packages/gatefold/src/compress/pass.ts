import type { Model } from '@gatefold/runtime';
import type { Dataset } from '../data/index.ts';
import type { Checkpoint, Workers } from '../train/index.ts';

/** Sequences to measure activations on: arrays as `session.run` takes them, batch by batch. */
export type CalibrationBatches = Iterable<{
  readonly inputs: Readonly<Record<string, Float32Array>>;
  readonly batch: number;
}>;

export type Calibration = (model: Model) => CalibrationBatches;

/** What a pass may need beside the model. Passes are deterministic: same model, options, data and seed, same result. */
export interface PassContext {
  /** Fresh batches on every call, as the model takes them; absent where no data were given. */
  readonly calibration?: Calibration | undefined;
  /** For passes that train. */
  readonly training?: Dataset | undefined;
  readonly seed?: number;
  /** More threads to train with; results depend on how many there are. */
  readonly workers?: Workers | undefined;
  /** Where training leaves what it can go on from, and what it left before. */
  readonly checkpoints?: {
    readonly resume?: Checkpoint | undefined;
    readonly save: (checkpoint: Checkpoint) => Promise<void>;
  };
  readonly onProgress?: ((done: number, total: number, what: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One line of what a pass did, for people and machines. */
export interface PassChange {
  readonly place: string;
  readonly before: string;
  readonly after: string;
  /** Root of the mean squared error of the decoded weights, relative to their root mean square. */
  readonly relativeError?: number;
}

/** What a way to code one weight alone does to the outputs of the model, on calibration data. */
export interface Sensitivity {
  /** `node/role`. */
  readonly place: string;
  readonly coding: string;
  /** Of the weight on disk. */
  readonly bytes: number;
  /** Share of the decisions that stay; undefined where the outputs decide nothing. */
  readonly agreement: number | undefined;
  /** Root mean square of the differences of the outputs, relative to the outputs' own. */
  readonly divergence: number;
  readonly chosen: boolean;
}

/** What a search measured; `agreement` and `divergence` are those of what was chosen. */
export interface SearchResult {
  readonly agreement: number | undefined;
  readonly divergence: number;
  readonly sensitivities: readonly Sensitivity[];
  /** Models that were run over the calibration data. */
  readonly runs: number;
}

export interface PassResult {
  readonly model: Model;
  readonly changes: readonly PassChange[];
  /** Settings that will not make this model smaller or faster, and why. */
  readonly warnings: readonly string[];
  /** Of passes that search. */
  readonly search?: SearchResult;
}
