// ECG5000 (UCR archive, from PhysioNet): heart beats of 140 samples, five a step, normal or abnormal. The official 500 train, the
// other 4,500 test.
import { datasetFromFile } from 'gatefold';
import { corpusFile } from './corpus.mjs';

const samples = 140;
const width = 5;
const beats = (count, data) => ({ beat: { shape: [count, samples / width, width], data } });
const numbers = (file) => datasetFromFile(file, corpusFile('ecg5000', file)).inputs.x.data;

/** Every beat ten times: moved by up to three samples, its height by up to a tenth, with noise of 0.1; always the same. */
function moved({ count, inputs, targets, ...rest }) {
  const copies = 10;
  const data = new Float32Array(copies * count * samples);
  let seed = 1;
  const next = () => {
    // Numerical Recipes' linear congruence; its upper bits are the better ones.
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
  // Box & Muller 1958; 1 − next() is never 0.
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  for (let i = 0; i < copies * count; i++) {
    const from = (i % count) * samples;
    const shift = Math.floor(next() * 7) - 3;
    const height = 0.9 + 0.2 * next();
    for (let t = 0; t < samples; t++) {
      const at = Math.min(Math.max(t + shift, 0), samples - 1);
      data[i * samples + t] = height * inputs.beat.data[from + at] + 0.1 * normal();
    }
  }
  return {
    ...rest,
    name: 'ECG5000 train, moved',
    count: copies * count,
    inputs: beats(copies * count, data),
    targets: {
      shape: [copies * count],
      data: Float32Array.from({ length: copies * count }, (_, i) => targets.data[i % count]),
    },
  };
}

export default function ecg5000(split = 'test') {
  if (split === 'moved') return moved(ecg5000('train'));
  const [x, abnormal, trained] = ['X_5000x140.f32.npy', 'y_abnormal.i1.npy', 'official_train_class.i1.npy'].map(
    numbers,
  );
  const wanted = { train: (row) => trained[row] > 0, test: (row) => trained[row] === 0 }[split];
  if (!wanted) throw new Error(`there is no split "${split}": train, moved, test`);
  const rows = [...abnormal.keys()].filter(wanted);
  const data = new Float32Array(rows.length * samples);
  rows.forEach((row, i) => {
    data.set(x.subarray(row * samples, (row + 1) * samples), i * samples);
  });
  return {
    name: `ECG5000 ${split}`,
    task: 'classify',
    count: rows.length,
    inputs: beats(rows.length, data),
    targets: { shape: [rows.length], data: Float32Array.from(rows, (row) => abnormal[row]) },
    classes: ['normal', 'abnormal'],
  };
}
