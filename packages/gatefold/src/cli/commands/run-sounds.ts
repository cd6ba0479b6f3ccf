import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { fail, frontEndOptions, type Model, type Session, type Tensor } from '@gatefold/runtime';
import { type Dataset, fitToModel, fromSounds, sliceDataset } from '../../data/index.ts';
import { readSounds, soundsInFolder } from '../../node/sounds.ts';
import { bestPath } from '../../train/index.ts';

/** Whether the path names sounds: a .wav file or a folder of them. */
export function namesSounds(path: string): boolean {
  return /\.wav$/i.test(path) || statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** What a model says of one recording. */
export interface Heard {
  readonly name: string;
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Its class, or the labels that were read, where the model knows their names. */
  readonly said?: string;
}

/**
 * Runs a model that has a front end on recordings, one after the other.
 * @throws DATA_INVALID
 */
export async function runSounds(
  model: Model,
  session: Session,
  path: string,
  runOne: (x: Float32Array) => Record<string, Tensor>,
): Promise<Heard[]> {
  const frontEnd = frontEndOptions(model);
  if (!frontEnd) {
    fail('DATA_INVALID', 'the model does not say how sounds become features', {
      place: path,
      expected: 'a model with metadata.frontEnd, as training on sounds makes it',
    });
  }
  const isFile = /\.wav$/i.test(path);
  const { sounds } = isFile ? { sounds: [{ name: basename(path), path }] } : soundsInFolder(path);
  // What is known of them is not asked for here.
  const bare = sounds.map(({ name, path: file }) => ({ name, path: file }));
  const data: Dataset = fitToModel(await fromSounds(basename(path), readSounds(bare), { frontEnd }), model);
  return sounds.map(({ name }, i) => {
    const one = sliceDataset(data, i, i + 1);
    const outputs = runOne(Object.values(one.inputs)[0]!.data);
    const said = sayingOf(model, outputs[session.outputs[0]!.name]!);
    return { name, outputs, ...(said === undefined ? {} : { said }) };
  });
}

function sayingOf({ metadata }: Model, { shape, data }: Tensor): string | undefined {
  const { labels, blank } = metadata;
  const classes = shape.at(-1)!;
  if (!Array.isArray(labels)) return undefined;
  const nameOf = (label: number) => String(labels[label] ?? label);
  if (typeof blank === 'number') {
    const names = bestPath(data, classes, blank).map(nameOf);
    return names.join(names.every((name) => name.length === 1) ? '' : ' ');
  }
  if (data.length !== classes) return undefined;
  return nameOf(data.indexOf(data.reduce((a, b) => Math.max(a, b))));
}

/** Outputs by name: side by side where all have one shape, else an array for each, y[0], y[1], … */
export function arraysOfAll(heard: readonly Heard[]): Map<string, { shape: readonly number[]; data: Float32Array }> {
  const out = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const name of Object.keys(heard[0]!.outputs)) {
    const all = heard.map(({ outputs }) => outputs[name]!);
    const inner = all[0]!.shape.slice(1);
    if (all.every(({ shape }) => shape.slice(1).join() === inner.join())) {
      const data = new Float32Array(all.reduce((sum, part) => sum + part.data.length, 0));
      all.forEach((part, i) => {
        data.set(part.data, i * part.data.length);
      });
      out.set(name, { shape: [all.length, ...inner], data });
    } else {
      for (const [i, { shape, data }] of all.entries()) out.set(`${name}[${i}]`, { shape: shape.slice(1), data });
    }
  }
  return out;
}
