import * as tf from '@tensorflow/tfjs';

const { layers } = tf;

/** Functions that a Dense layer of TensorFlow.js takes. */
const activations = [
  ...['linear', 'tanh', 'sigmoid', 'hardSigmoid', 'relu', 'relu6', 'elu', 'selu', 'softplus', 'softsign', 'softmax'],
  ...['logSoftmax', 'swish', 'mish', 'gelu'],
];

function input(...shape) {
  return tf.input({ shape });
}

function functional(inputs, outputs) {
  return tf.model({ inputs, outputs });
}

/** Small models that between them use what layers models of TensorFlow.js can say about sequences. */
export const models = {
  'lstm-stack': () =>
    tf.sequential({
      layers: [
        layers.lstm({ units: 6, inputShape: [null, 3], returnSequences: true }),
        layers.lstm({ units: 5, recurrentActivation: 'sigmoid', goBackwards: true, returnSequences: true }),
        layers.lstm({ units: 4, activation: 'relu', useBias: false }),
        layers.dense({ units: 3, activation: 'softmax' }),
      ],
    }),
  cells() {
    const x = input(7, 4);
    const outputs = [
      layers.gru({ units: 3 }).apply(x),
      layers.gru({ units: 3, recurrentActivation: 'sigmoid', returnSequences: true, goBackwards: true }).apply(x),
      layers.simpleRNN({ units: 3, activation: 'sigmoid' }).apply(x),
      layers.rnn({ cell: layers.lstmCell({ units: 2 }), returnSequences: true }).apply(x),
      layers.rnn({ cell: [layers.gruCell({ units: 3 }), layers.simpleRNNCell({ units: 2 })] }).apply(x),
    ];
    return functional(x, outputs);
  },
  bidirectional() {
    const x = input(6, 3);
    const around = (mergeMode, returnSequences) =>
      layers.bidirectional({ layer: layers.lstm({ units: 2, returnSequences }), mergeMode }).apply(x);
    const outputs = ['concat', 'sum', 'ave', 'mul'].map((mode, i) => around(mode, i % 2 === 0));
    return functional(x, outputs);
  },
  masks() {
    const ids = input(6);
    const embedded = layers.embedding({ inputDim: 5, outputDim: 4, maskZero: true }).apply(ids);
    const outputs = [
      layers.lstm({ units: 3, returnSequences: true }).apply(embedded),
      layers.gru({ units: 3 }).apply(embedded),
      layers.bidirectional({ layer: layers.lstm({ units: 2, returnSequences: true }) }).apply(embedded),
      layers.bidirectional({ layer: layers.gru({ units: 2 }), mergeMode: 'sum' }).apply(embedded),
    ];
    return functional(ids, outputs);
  },
  activations() {
    const x = input(4);
    return functional(
      x,
      activations.map((activation) => layers.dense({ units: 5, activation }).apply(x)),
    );
  },
  convolutions() {
    const x = input(12, 3);
    const a = layers.conv1d({ filters: 4, kernelSize: 3, padding: 'same', activation: 'relu' }).apply(x);
    const b = layers.conv1d({ filters: 4, kernelSize: 2, padding: 'same', dilationRate: 2 }).apply(x);
    const c = layers.batchNormalization().apply(layers.add().apply([a, b]));
    const d = layers.layerNormalization().apply(layers.concatenate().apply([c, a]));
    const e = layers.maxPooling1d({ poolSize: 2 }).apply(d);
    const f = layers.averagePooling1d({ poolSize: 3, strides: 2, padding: 'same' }).apply(d);
    const g = layers.prelu({ sharedAxes: [1] }).apply(layers.leakyReLU({ alpha: 0.1 }).apply(f));
    return functional(x, [
      layers.flatten().apply(e),
      layers.globalAveragePooling1d().apply(g),
      layers.globalMaxPooling1d({}).apply(g),
      layers.reshape({ targetShape: [4, 12] }).apply(e),
      layers.permute({ dims: [2, 1] }).apply(e),
    ]);
  },
  nested() {
    const encoder = tf.sequential({
      layers: [
        layers.dense({ units: 4, inputShape: [3], activation: 'tanh' }),
        layers.dropout({ rate: 0.5 }),
        layers.dense({ units: 2 }),
      ],
    });
    const head = tf.sequential({ layers: [layers.dense({ units: 3, inputShape: [2] })] });
    const x = input(5, 3);
    const steps = layers.timeDistributed({ layer: encoder }).apply(x);
    const decoded = layers.gru({ units: 2 }).apply(steps);
    const repeated = layers.repeatVector({ n: 4 }).apply(decoded);
    return functional(x, [head.apply(decoded), layers.multiply().apply([repeated, repeated])]);
  },
};
