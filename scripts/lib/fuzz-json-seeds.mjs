/** Numbers of a shape that look random. */
function numbers(seed, ...shape) {
  let n = seed;
  const make = (depth) =>
    depth === shape.length
      ? Math.round(Math.sin(++n * 12.9898) * 800) / 1000
      : Array.from({ length: shape[depth] }, () => make(depth + 1));
  return make(0);
}

function json(value) {
  return new TextEncoder().encode(JSON.stringify(value));
}

const shape = (units) => [null, null, units];

const layers = [
  { type: 'dense', activation: 'tanh', shape: shape(4), weights: [numbers(1, 1, 4), numbers(9, 4)] },
  {
    type: 'conv1d',
    activation: 'relu',
    shape: shape(4),
    kernel_size: [3],
    dilation: [2],
    groups: 2,
    weights: [numbers(20, 3, 2, 4), numbers(50, 4)],
  },
  {
    type: 'batchnorm',
    activation: '',
    shape: shape(4),
    epsilon: 0.01,
    weights: [
      [1, 1, 2, 2],
      [0, 1, 0, 1],
      [1, 0, 1, 0],
      [1, 2, 3, 4],
    ],
  },
  { type: 'prelu', activation: '', shape: shape(4), weights: [[[0.1, 0.2, 0.3, 0.4]]] },
  { type: 'gru', activation: '', shape: shape(2), weights: [numbers(60, 4, 6), numbers(90, 2, 6), numbers(99, 2, 6)] },
  { type: 'lstm', activation: '', shape: shape(2), weights: [numbers(60, 2, 8), numbers(90, 2, 8), numbers(99, 8)] },
  { type: 'dense', activation: '', shape: shape(1), weights: [numbers(2, 2, 1), numbers(9, 1)] },
];

const state = {
  'rec.weight_ih_l0': numbers(1, 8, 1),
  'rec.weight_hh_l0': numbers(20, 8, 2),
  'rec.bias_ih_l0': numbers(40, 8),
  'rec.bias_hh_l0': numbers(50, 8),
  'lin.weight': numbers(60, 1, 2),
  'lin.bias': numbers(70, 1),
};

const description = {
  model: 'SimpleRNN',
  input_size: 1,
  skip: 1,
  output_size: 1,
  unit_type: 'LSTM',
  num_layers: 1,
  hidden_size: 2,
};

/** RTNeural's layers, AIDA-X's additions, GuitarML's parameters, and a bare state dict. */
export const rtneuralSeeds = [
  { name: 'rtneural', bytes: json({ in_shape: shape(1), layers }) },
  {
    name: 'aidax',
    bytes: json({ in_shape: shape(1), in_skip: 1, in_gain: 3, out_gain: -3, layers, samplerate: 48000 }),
  },
  { name: 'guitarml', bytes: json({ model_data: description, state_dict: state }) },
  { name: 'state dict', bytes: json(state) },
];

const cell = 'rnnlm/multi_rnn_cell/cell_0/basic_lstm_cell';
const arrays = {
  embedding: ['embedding', [3, 2], numbers(1, 6)],
  [`${cell}/kernel`]: ['kernel', [4, 8], numbers(2, 32)],
  [`${cell}/bias`]: ['bias', [8], numbers(3, 8)],
  'rnnlm/softmax_w': ['softmax_w', [2, 3], numbers(4, 6)],
  'rnnlm/softmax_b': ['softmax_b', [3], numbers(5, 3)],
};

/** A charRNN of ml5 with its files. */
export const ml5Seed = {
  name: 'ml5',
  bytes: json(
    Object.fromEntries(Object.entries(arrays).map(([name, [filename, size]]) => [name, { filename, shape: size }])),
  ),
  beside: new Map([
    ...Object.values(arrays).map(([filename, , data]) => [filename, new Uint8Array(Float32Array.from(data).buffer)]),
    ['vocab.json', json({ a: 0, b: 1, c: 2 })],
  ]),
};
