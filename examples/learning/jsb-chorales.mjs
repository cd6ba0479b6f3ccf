// Bach's chorales (Boulanger-Lewandowski et al. 2012, the usual split): at every frame which of 88 keys sound in the next one.
import { gunzipSync } from 'node:zlib';
import { corpusFile } from './corpus.mjs';

export default function chorales(split = 'test') {
  const music = JSON.parse(gunzipSync(corpusFile('polyphonic-music', 'JSB_Chorales.json.gz')));
  if (!['train', 'valid', 'test'].includes(split)) throw new Error(`there is no split "${split}": train, valid, test`);
  const { dim } = music;
  const lengths = music[split].map((frames) => frames.length - 1);
  const shape = [lengths.length, Math.max(...lengths), dim];
  /** Keys that sound as ones, frames one behind the other. */
  const roll = (pieces) => {
    const frames = pieces.flat();
    const data = new Float32Array(frames.length * dim);
    frames.forEach((keys, i) => {
      for (const key of keys) data[i * dim + key] = 1;
    });
    return { shape, data, lengths };
  };
  return {
    name: `JSB Chorales ${split}`,
    task: 'binary',
    count: lengths.length,
    inputs: { keys: roll(music[split].map((frames) => frames.slice(0, -1))) },
    targets: roll(music[split].map((frames) => frames.slice(1))),
  };
}
