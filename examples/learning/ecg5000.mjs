// ECG5000 (UCR archive, from PhysioNet): heart beats of 140 samples, normal or abnormal. The official 500 train, the other 4,500 test.
import { datasetFromFile } from 'gatefold';
import { corpusFile } from './corpus.mjs';

const numbers = (file) => datasetFromFile(file, corpusFile('ecg5000', file)).inputs.x.data;

export default function ecg5000(split = 'test') {
  const [x, abnormal, trained] = ['X_5000x140.f32.npy', 'y_abnormal.i1.npy', 'official_train_class.i1.npy'].map(
    numbers,
  );
  const wanted = { train: (row) => trained[row] > 0, test: (row) => trained[row] === 0 }[split];
  if (!wanted) throw new Error(`there is no split "${split}": train, test`);
  const rows = [...abnormal.keys()].filter(wanted);
  const data = new Float32Array(rows.length * 140);
  rows.forEach((row, i) => {
    data.set(x.subarray(row * 140, (row + 1) * 140), i * 140);
  });
  return {
    name: `ECG5000 ${split}`,
    task: 'classify',
    count: rows.length,
    inputs: { beat: { shape: [rows.length, 140, 1], data } },
    targets: { shape: [rows.length], data: Float32Array.from(rows, (row) => abnormal[row]) },
    classes: ['normal', 'abnormal'],
  };
}
