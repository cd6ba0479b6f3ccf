/**
 * The messages of onnx.proto that a model file may hold, as [field number, kind]; 'many' marks repeated fields. `skip`
 * are known fields that carry no meaning for inference (texts, annotations, inferred shapes).
 */
export const messages = {
  Model: {
    irVersion: [1, 'int'],
    producerName: [2, 'string'],
    producerVersion: [3, 'string'],
    domain: [4, 'skip'],
    modelVersion: [5, 'skip'],
    docString: [6, 'skip'],
    graph: [7, 'Graph'],
    opsetImport: [8, 'OperatorSet', 'many'],
    metadataProps: [14, 'Entry', 'many'],
    trainingInfo: [20, 'bytes', 'many'],
    functions: [25, 'bytes', 'many'],
    configuration: [26, 'skip'],
  },
  OperatorSet: { domain: [1, 'string'], version: [2, 'int'] },
  Entry: { key: [1, 'string'], value: [2, 'string'] },
  Graph: {
    node: [1, 'Node', 'many'],
    name: [2, 'string'],
    initializer: [5, 'Tensor', 'many'],
    docString: [10, 'skip'],
    input: [11, 'ValueInfo', 'many'],
    output: [12, 'ValueInfo', 'many'],
    valueInfo: [13, 'skip'],
    quantizationAnnotation: [14, 'skip'],
    sparseInitializer: [15, 'bytes', 'many'],
    metadataProps: [16, 'skip'],
  },
  Node: {
    input: [1, 'string', 'many'],
    output: [2, 'string', 'many'],
    name: [3, 'string'],
    opType: [4, 'string'],
    attribute: [5, 'Attribute', 'many'],
    docString: [6, 'skip'],
    domain: [7, 'string'],
    overload: [8, 'string'],
    metadataProps: [9, 'skip'],
    deviceConfigurations: [10, 'skip'],
  },
  Attribute: {
    name: [1, 'string'],
    f: [2, 'float'],
    i: [3, 'int'],
    s: [4, 'bytes'],
    t: [5, 'Tensor'],
    g: [6, 'Graph'],
    floats: [7, 'float', 'many'],
    ints: [8, 'int', 'many'],
    strings: [9, 'bytes', 'many'],
    tensors: [10, 'bytes', 'many'],
    graphs: [11, 'bytes', 'many'],
    docString: [13, 'skip'],
    tp: [14, 'bytes'],
    typeProtos: [15, 'bytes', 'many'],
    type: [20, 'int'],
    refAttrName: [21, 'string'],
    sparseTensor: [22, 'bytes'],
    sparseTensors: [23, 'bytes', 'many'],
  },
  Tensor: {
    dims: [1, 'int', 'many'],
    dataType: [2, 'int'],
    segment: [3, 'bytes'],
    floatData: [4, 'float', 'many'],
    int32Data: [5, 'int', 'many'],
    stringData: [6, 'bytes', 'many'],
    int64Data: [7, 'int', 'many'],
    name: [8, 'string'],
    rawData: [9, 'bytes'],
    doubleData: [10, 'double', 'many'],
    uint64Data: [11, 'int', 'many'],
    docString: [12, 'skip'],
    externalData: [13, 'Entry', 'many'],
    dataLocation: [14, 'int'],
    metadataProps: [16, 'skip'],
  },
  ValueInfo: { name: [1, 'string'], type: [2, 'Type'], docString: [3, 'skip'], metadataProps: [4, 'skip'] },
  Type: {
    tensorType: [1, 'TensorType'],
    sequenceType: [4, 'bytes'],
    mapType: [5, 'bytes'],
    denotation: [6, 'skip'],
    opaqueType: [7, 'bytes'],
    sparseTensorType: [8, 'bytes'],
    optionalType: [9, 'bytes'],
  },
  TensorType: { elemType: [1, 'int'], shape: [2, 'Shape'] },
  Shape: { dim: [1, 'Dimension', 'many'] },
  Dimension: { dimValue: [1, 'int'], dimParam: [2, 'string'], denotation: [3, 'skip'] },
} as const;

export type MessageName = keyof typeof messages;
export type Kind = MessageName | keyof Scalars | 'skip';
interface Scalars {
  int: number;
  float: number;
  double: number;
  string: string;
  bytes: Uint8Array;
}
type Content<K> = K extends keyof Scalars ? Scalars[K] : K extends MessageName ? Message<K> : undefined;
type Field<F> = F extends readonly [number, infer K, 'many']
  ? readonly Content<K>[]
  : F extends readonly [number, infer K]
    ? Content<K> | undefined
    : never;

/** A decoded message: repeated fields are arrays, absent ones undefined. Whole numbers beyond 2^53 are rounded. */
export type Message<M extends MessageName> = {
  readonly [K in keyof (typeof messages)[M]]: Field<(typeof messages)[M][K]>;
};

/** A message to be written: any of its fields. */
export type Draft<M extends MessageName> = {
  readonly [K in keyof (typeof messages)[M]]?: DraftField<(typeof messages)[M][K]>;
};
type DraftContent<K> = K extends keyof Scalars ? Scalars[K] : K extends MessageName ? Draft<K> : never;
type DraftField<F> = F extends readonly [number, infer K, 'many']
  ? readonly DraftContent<K>[]
  : F extends readonly [number, infer K]
    ? DraftContent<K>
    : never;

export interface FieldRow {
  readonly key: string;
  readonly number: number;
  readonly kind: Kind;
  readonly many: boolean;
}

/** The fields of each message by their numbers. */
export const fieldsOf = Object.fromEntries(
  Object.entries(messages).map(([message, fields]) => [
    message,
    new Map(
      Object.entries(fields).map(([key, [number, kind, many]]) => [
        number,
        { key, number, kind, many: many !== undefined } satisfies FieldRow as FieldRow,
      ]),
    ),
  ]),
) as unknown as Readonly<Record<MessageName, ReadonlyMap<number, FieldRow>>>;

/** Wire type of a kind's single value: 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes. */
export function wireType(kind: Kind): 0 | 1 | 2 | 5 {
  return kind === 'int' ? 0 : kind === 'double' ? 1 : kind === 'float' ? 5 : 2;
}
