/** Heads of the wind-power models, whose functions are in no file: Dropout and ReLU as in most. */
export const windPower = (head: [string, string]) => `
version: 1
input: { features: 31 }
layers:
  - { type: lstm, weights: lstm }
  - { type: last }
  - { type: layerNorm, weights: norm, epsilon: 1e-5 }
  - { type: linear, weights: ${head[0]} }
  - { type: activation, function: relu }
  - { type: linear, weights: ${head[1]} }
`;

/** PTB language model of the book that publishes it: its gates stand in an order of their own. */
export const languageModel = `
version: 1
input: { ids: true }
layers:
  - { type: embedding, weights: embed }
  - type: lstm
    name: lstm
    weights: lstm
    keys: { input: lstm.Wx, recurrent: lstm.Wh, bias: lstm.b }
    gates: [forget, candidate, input, output]
    transposed: true
  - type: linear
    name: affine
    weights: affine
    keys: { kernel: affine.W, bias: affine.b }
    transposed: true
`;
