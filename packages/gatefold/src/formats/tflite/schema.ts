/** Names of TensorFlow Lite's built-in operators by their codes (schema version 3). */
export const operatorNames: readonly string[] = (
  'ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP ' +
  'FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC ' +
  'LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX ' +
  'SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD ' +
  'UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE ' +
  'UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX ' +
  'DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER ' +
  'GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL ' +
  'NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT ' +
  'LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE ' +
  'RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ' +
  'ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND ' +
  'HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY ' +
  'SEGMENT_SUM BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D ' +
  'IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL ' +
  'CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL ' +
  'BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD ' +
  'UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR ' +
  'RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM ' +
  'STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION ' +
  'STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS STABLEHLO_AND STABLEHLO_COSINE ' +
  'STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM STABLEHLO_NEGATE STABLEHLO_OR ' +
  'STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH ' +
  'STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT STABLEHLO_DYNAMIC_SLICE ' +
  'STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA STABLEHLO_DOT_GENERAL ' +
  'STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE ' +
  'STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT ' +
  'STABLEHLO_CASE'
).split(' ');

export const tensorTypes = [
  'FLOAT32',
  'FLOAT16',
  'INT32',
  'UINT8',
  'INT64',
  'STRING',
  'BOOL',
  'INT16',
  'COMPLEX64',
  'INT8',
] as const;

/** Numbers by their place in this list; `SIGN_BIT` has no meaning here. */
export const fusedActivations = ['NONE', 'RELU', 'RELU_N1_TO_1', 'RELU6', 'TANH'] as const;

/** Integer LSTM keeps what goes into its gates in 16 bits, 12 of them behind the point: the sums saturate at this. */
export const gateBound = 8;

type Field = readonly [id: number, kind: 'int' | 'float' | 'bool' | 'byte' | 'ints', otherwise?: number];

const poolFields: Readonly<Record<string, Field>> = {
  padding: [0, 'byte'],
  strideW: [1, 'int'],
  strideH: [2, 'int'],
  filterWidth: [3, 'int'],
  filterHeight: [4, 'int'],
  activation: [5, 'byte'],
};

/** Option tables of the operators that have options: number in the union, and fields by name. */
export const optionTables: Readonly<Record<string, { union: number; fields: Readonly<Record<string, Field>> }>> = {
  ADD: { union: 11, fields: { activation: [0, 'byte'], powerOfTwo: [1, 'bool', 1] } },
  SUB: { union: 28, fields: { activation: [0, 'byte'], powerOfTwo: [1, 'bool', 1] } },
  MUL: { union: 21, fields: { activation: [0, 'byte'] } },
  DIV: { union: 29, fields: { activation: [0, 'byte'] } },
  FULLY_CONNECTED: {
    union: 8,
    fields: { activation: [0, 'byte'], weightsFormat: [1, 'byte'], keepDims: [2, 'bool'] },
  },
  SOFTMAX: { union: 9, fields: { beta: [0, 'float'] } },
  CONCATENATION: { union: 10, fields: { axis: [0, 'int'], activation: [1, 'byte'] } },
  RESHAPE: { union: 17, fields: { shape: [0, 'ints'] } },
  SQUEEZE: { union: 30, fields: { axes: [0, 'ints'] } },
  CONV_2D: {
    union: 1,
    fields: {
      padding: [0, 'byte'],
      strideW: [1, 'int'],
      strideH: [2, 'int'],
      activation: [3, 'byte'],
      dilationW: [4, 'int', 1],
      dilationH: [5, 'int', 1],
    },
  },
  DEPTHWISE_CONV_2D: {
    union: 2,
    fields: {
      padding: [0, 'byte'],
      strideW: [1, 'int'],
      strideH: [2, 'int'],
      multiplier: [3, 'int'],
      activation: [4, 'byte'],
      dilationW: [5, 'int', 1],
      dilationH: [6, 'int', 1],
    },
  },
  MAX_POOL_2D: { union: 5, fields: poolFields },
  AVERAGE_POOL_2D: { union: 5, fields: poolFields },
  MEAN: { union: 27, fields: { keepDims: [0, 'bool'] } },
  SUM: { union: 27, fields: { keepDims: [0, 'bool'] } },
  REDUCE_MAX: { union: 27, fields: { keepDims: [0, 'bool'] } },
  SPLIT: { union: 35, fields: { count: [0, 'int'] } },
  SPLIT_V: { union: 79, fields: { count: [0, 'int'] } },
  STRIDED_SLICE: {
    union: 32,
    fields: {
      beginMask: [0, 'int'],
      endMask: [1, 'int'],
      ellipsisMask: [2, 'int'],
      newAxisMask: [3, 'int'],
      shrinkAxisMask: [4, 'int'],
    },
  },
  GATHER: { union: 23, fields: { axis: [0, 'int'], batchDims: [1, 'int'] } },
  PACK: { union: 59, fields: { count: [0, 'int'], axis: [1, 'int'] } },
  UNPACK: { union: 64, fields: { count: [0, 'int'], axis: [1, 'int'] } },
  LEAKY_RELU: { union: 75, fields: { alpha: [0, 'float'] } },
  GELU: { union: 116, fields: { approximate: [0, 'bool'] } },
  UNIDIRECTIONAL_SEQUENCE_LSTM: {
    union: 71,
    fields: {
      activation: [0, 'byte'],
      cellClip: [1, 'float'],
      projectionClip: [2, 'float'],
      timeMajor: [3, 'bool'],
      diagonal: [5, 'bool'],
    },
  },
  BIDIRECTIONAL_SEQUENCE_LSTM: {
    union: 69,
    fields: {
      activation: [0, 'byte'],
      cellClip: [1, 'float'],
      projectionClip: [2, 'float'],
      merge: [3, 'bool'],
      timeMajor: [4, 'bool', 1],
    },
  },
  UNIDIRECTIONAL_SEQUENCE_RNN: { union: 31, fields: { timeMajor: [0, 'bool'], activation: [1, 'byte'] } },
  BIDIRECTIONAL_SEQUENCE_RNN: {
    union: 70,
    fields: { timeMajor: [0, 'bool'], activation: [1, 'byte'], merge: [2, 'bool'] },
  },
  WHILE: { union: 93, fields: { condition: [0, 'int'], body: [1, 'int'] } },
};
