import { tensorflow } from '../lib/tensorflow.mjs';
import { classes, gatesOf, least, never, stopwatch } from './cases.mjs';

/** The best step of so many, of the same network in TensorFlow.js' own operations. */
export async function bestStep({ cell, features, units, batch, steps }, count) {
  const tf = await tensorflow();
  const gates = gatesOf(cell);
  const variable = (...shape) => tf.variable(tf.randomNormal(shape, 0, 0.05));
  const weights = [variable(features, gates * units), variable(units, gates * units), variable(units, classes)];
  const x = Array.from({ length: steps }, () => tf.randomNormal([batch, features]));
  const y = tf.oneHot(
    tf.tensor1d(
      Array.from({ length: batch }, (_, i) => i % classes),
      'int32',
    ),
    classes,
  );
  const adam = tf.train.adam(1e-3);
  const { add, matMul, mul, sigmoid, slice, sub, tanh } = tf;
  const loss = () => {
    const [W, U, V] = weights;
    let h = tf.zeros([batch, units]);
    let c = h;
    for (const step of x) {
      const z = matMul(step, W);
      const u = matMul(h, U);
      const part = (m, k) => slice(m, [0, k * units], [batch, units]);
      if (cell === 'lstm') {
        const [i, f, o, g] = [0, 1, 2, 3].map((k) => add(part(z, k), part(u, k)));
        c = add(mul(sigmoid(f), c), mul(sigmoid(i), tanh(g)));
        h = mul(sigmoid(o), tanh(c));
      } else {
        const update = sigmoid(add(part(z, 0), part(u, 0)));
        const n = tanh(add(part(z, 2), mul(sigmoid(add(part(z, 1), part(u, 1))), part(u, 2))));
        h = add(mul(update, h), mul(sub(tf.scalar(1), update), n));
      }
    }
    return tf.losses.softmaxCrossEntropy(y, matMul(h, V));
  };
  let best = never;
  for (let i = 0; i < count; i++) {
    const start = stopwatch();
    adam.minimize(loss);
    weights[0].dataSync();
    best = least(best, start);
  }
  for (const tensor of [...x, y, ...weights]) tensor.dispose();
  return best;
}
