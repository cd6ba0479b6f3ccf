import type { Weight } from '../encodings/index.ts';

/** A dimension of a port: a number, the batch, or an open number of time steps. */
export type Dim = number | 'batch' | 'time';
export type DataType = 'float32' | 'int32';

export interface Port {
  readonly name: string;
  readonly shape: readonly Dim[];
  readonly dtype: DataType;
}

/** An output port shows the value of the same or another name; its shape is inferred. */
export interface OutputPort {
  readonly name: string;
  readonly value: string;
}

/** Attributes are plain JSON. Activations stand as `["tanh"]`, `["hardSigmoid", 0.2, 0.5]`. */
export type AttributeValue = string | number | boolean | null | readonly AttributeValue[];
export type Attributes = Readonly<Record<string, AttributeValue>>;

export interface Node {
  readonly name: string;
  readonly op: string;
  /** Value names by the op's input names; optional inputs may be absent. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
  readonly attributes: Attributes;
  /** Weight names by role. */
  readonly weights: Readonly<Record<string, string>>;
}

/** Ports that belong to the stream, not to the caller: `output` of one step is `input` of the next; zero at first. */
export interface PortState {
  readonly input: string;
  readonly output: string;
}

export interface Graph {
  readonly inputs: readonly Port[];
  readonly outputs: readonly OutputPort[];
  /** In topological order. */
  readonly nodes: readonly Node[];
  readonly states: readonly PortState[];
}

/** An immutable network: passes return a new one that shares what they did not change. */
export interface Model {
  readonly name: string;
  readonly graphs: Readonly<Record<string, Graph>>;
  readonly weights: Readonly<Record<string, Weight>>;
  /** What inference needs beside the graph: labels, vocabulary, scaling, the recipe that made the file. Plain JSON. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** What writing the source format back needs. Plain JSON. */
  readonly origin?: Readonly<Record<string, unknown>>;
}
