import { installedVersion } from '../lib/node.mjs';
import { tensorflow } from '../lib/tensorflow.mjs';
import { gatesOf, transpose } from '../lib/weights.mjs';

/** The cell written in TensorFlow.js' own operations, as its layers do it: one step after the other. */
export default [
  {
    name: 'tfjs-wasm',
    type: 'float32',
    version: installedVersion('@tensorflow/tfjs-core'),
    unavailable: () => undefined,
    async load(layer) {
      const tf = await tensorflow();
      const { cell, units: H } = layer;
      const G = gatesOf[cell].length;
      const W = tf.tensor2d(transpose(layer.W, G * H), [H, G * H]);
      const U = tf.tensor2d(transpose(layer.U, G * H), [H, G * H]);
      const b = tf.tensor1d(layer.b);
      const bR = layer.bR && tf.tensor1d(layer.bR);
      let state;
      const reset = () => {
        for (const tensor of state ?? []) tensor.dispose();
        state = cell === 'lstm' ? [tf.zeros([1, H]), tf.zeros([1, H])] : [tf.zeros([1, H])];
      };
      reset();
      const lstm = (x, [h, c]) => {
        const [i, f, o, g] = tf.split(tf.add(tf.add(tf.matMul(x, W), tf.matMul(h, U)), b), 4, 1);
        const next = tf.add(tf.mul(tf.sigmoid(f), c), tf.mul(tf.sigmoid(i), tf.tanh(g)));
        return [tf.mul(tf.sigmoid(o), tf.tanh(next)), next];
      };
      const gru = (x, [h]) => {
        const [xz, xr, xn] = tf.split(tf.add(tf.matMul(x, W), b), 3, 1);
        const [hz, hr, hn] = tf.split(tf.add(tf.matMul(h, U), bR), 3, 1);
        const z = tf.sigmoid(tf.add(xz, hz));
        const n = tf.tanh(tf.add(xn, tf.mul(tf.sigmoid(tf.add(xr, hr)), hn)));
        return [tf.add(tf.mul(z, h), tf.mul(tf.sub(1, z), n))];
      };
      const one = (x) => {
        const before = state;
        state = tf.tidy(() => (cell === 'lstm' ? lstm : gru)(tf.tensor2d(x, [1, H]), before));
        for (const tensor of before) tensor.dispose();
        return state[0].dataSync();
      };
      const many = (xs) => {
        const out = new Float32Array(xs.length);
        for (let t = 0; t < xs.length; t += H) out.set(one(xs.subarray(t, t + H)), t);
        return out;
      };
      return {
        step: one,
        many,
        reset,
        close: () => {
          for (const tensor of [W, U, b, bR, ...state]) tensor?.dispose();
        },
      };
    },
  },
];
