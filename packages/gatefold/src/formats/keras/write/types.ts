/**
 * For whom a configuration is written: Keras 2.15 (whose `.h5` Keras 3 reads as well), Keras 3, or TensorFlow.js, which
 * follows Keras 2 with fewer layers.
 */
export type Dialect = 'keras2' | 'keras3' | 'tfjs';

/** An output of a call of a layer. */
export interface LayerTensor {
  readonly layer: WrittenLayer;
  readonly call: number;
  readonly output: number;
  /** The value of the graph that travels with it as Keras' mask. */
  readonly mask?: string | undefined;
}

export interface LayerCall {
  readonly inputs: readonly LayerTensor[];
  /** Initial states of a recurrent layer. */
  readonly states: readonly LayerTensor[];
  /** A tensor of truths: the steps that count. Keras 3 alone. */
  readonly mask?: LayerTensor | undefined;
  /** Arguments after the tensors: operations of Keras 3 alone. */
  readonly constants: readonly number[];
}

/** Where the values of a weight stand in a raster: scale·q + offset with signed codes of so many bits, or float16. */
export type Grid = 'float16' | { readonly scale: number; readonly offset: number; readonly bits: number };

/** Values of a weight of the model, or made of them; with the raster they are on, where there is one for all. */
export interface WeightValues {
  readonly shape: readonly number[];
  readonly data: Float32Array;
  readonly grid?: Grid | undefined;
}

/** A weight as Keras holds it. */
export interface LayerWeight extends WeightValues {
  /** Inside of which parts of the layer: `cell`, `forward_layer`. */
  readonly within: readonly string[];
  readonly name: string;
}

export interface InnerLayer {
  readonly className: string;
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** A layer with all its calls. `config` leaves out name, dtype and whether it is trained. */
export interface WrittenLayer {
  readonly className: string;
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly weights: readonly LayerWeight[];
  readonly calls: LayerCall[];
  /** The layer that a wrapper wraps. */
  readonly inner?: InnerLayer | undefined;
  /** The module of an operation of Keras 3. */
  readonly operation?: string | undefined;
}

/** A model as layers, in the order that Keras gives them. */
export interface WrittenLayers {
  readonly name: string;
  readonly layers: readonly WrittenLayer[];
  readonly inputs: readonly LayerTensor[];
  readonly outputs: readonly LayerTensor[];
  /** What whoever loads the file should know. */
  readonly notes: readonly string[];
}
