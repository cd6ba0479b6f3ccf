import {
  createSession,
  type Engine,
  fail,
  relaxedEngine,
  type Session,
  simd128Engine,
  sizeOf,
} from '@gatefold/runtime';
import { referenceEngine } from '@gatefold/runtime/reference';
import { type NpyArray, readNpz, toFloat32, writeNpz } from '../../data/npz.ts';
import { checkOutput, readBytes } from '../../node/files.ts';
import type { LoadOptions } from '../../node/load.ts';
import type { Context } from '../context.ts';
import { openModel } from '../open.ts';
import { arraysOfAll, namesSounds, runSounds } from './run-sounds.ts';

/** Recordings of which a person is told. */
const mostShown = 40;
const engines: readonly Engine[] = [referenceEngine, simd128Engine, relaxedEngine];

/** The engine of that name, or the best that runs here. */
export function engineOption(name: string | undefined): { engine?: Engine } {
  const engine = engines.find((candidate) => candidate.name === name);
  return engine ? { engine } : {};
}

interface NamedArray {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Arrays for the model's inputs: by port name, else in the order they stand in the file. */
function arraysFor(session: Session, file: ReadonlyMap<string, NpyArray>): Map<string, NamedArray> {
  const entries = [...file];
  return new Map(
    session.inputs.map((port, i) => {
      const found =
        file.get(port.name) ?? (session.inputs.every(({ name }) => !file.has(name)) ? entries[i]?.[1] : undefined);
      if (!found) {
        fail('INPUT_SHAPE', `no array for input "${port.name}"`, {
          place: port.name,
          found: entries.map(([name]) => name).join(', ') || 'no arrays',
        });
      }
      const expected = port.shape.map((dim) => (typeof dim === 'number' ? dim : -1));
      const fits = found.shape.length === expected.length && expected.every((n, d) => n === -1 || n === found.shape[d]);
      const idsFit = port.shape.at(-1) === 1 && found.shape.length === expected.length - 1;
      if (!fits && !idsFit) {
        fail('INPUT_SHAPE', `the array for input "${port.name}" does not fit`, {
          place: port.name,
          expected: `[${port.shape.join(', ')}]`,
          found: `[${found.shape.join(', ')}]`,
        });
      }
      return [port.name, { shape: found.shape, data: toFloat32(found.data) }];
    }),
  );
}

export async function run(
  context: Context,
  path: string,
  options: LoadOptions & { input: string; output: string; engine?: string; steps?: boolean },
): Promise<void> {
  checkOutput(options.output, context.force);
  const { model } = await openModel(context, path, options);
  const session = createSession(model, engineOption(options.engine));
  if (namesSounds(options.input)) {
    const heard = await runSounds(model, session, options.input, (x) => {
      const input = session.inputs[0]!;
      const shape = [1, x.length / input.width, input.width];
      return options.steps
        ? runSteps(session, new Map([[input.name, { shape, data: x }]]), 1)
        : session.run(x, { batch: 1 });
    });
    await context.save([[options.output, writeNpz(arraysOfAll(heard))]]);
    const sounds = heard.map(({ name, said }) => ({ name, ...(said === undefined ? {} : { said }) }));
    context.result({ engine: session.engine.name, sounds, output: options.output }, () =>
      [
        `${options.output}: outputs of ${heard.length} recordings on the ${session.engine.name} engine`,
        ...heard.slice(0, mostShown).flatMap(({ name, said }) => (said === undefined ? [] : [`  ${name}  ${said}`])),
        ...(heard.length > mostShown ? [`  … (--json tells all ${heard.length})`] : []),
      ].join('\n'),
    );
    return;
  }
  const arrays = arraysFor(session, readNpz(await readBytes(options.input)));
  const batch = [...arrays.values()][0]!.shape[0]!;
  const results = options.steps ? runSteps(session, arrays, batch) : session.run(inputsOf(arrays), { batch });
  const named = new Map(Object.entries(results));
  await context.save([[options.output, writeNpz(named)]]);
  const outputs = [...named].map(([name, { shape }]) => ({ name, shape }));
  context.result(
    { engine: session.engine.name, batch, outputs, output: options.output },
    `${options.output}: ${outputs.map(({ name, shape }) => `${name} [${shape.join(', ')}]`).join(', ')} on the ${session.engine.name} engine`,
  );
}

function inputsOf(arrays: ReadonlyMap<string, NamedArray>): Record<string, Float32Array> {
  return Object.fromEntries([...arrays].map(([name, { data }]) => [name, data]));
}

/** One step at a time, every sequence in its own stream, outputs joined along time. */
function runSteps(
  session: Session,
  arrays: ReadonlyMap<string, NamedArray>,
  batch: number,
): Record<string, NamedArray> {
  const streams = Array.from({ length: batch }, () => session.stream());
  const steps = [...arrays.values()][0]!.shape[1] ?? 1;
  const rows: Record<string, Float32Array[]> = Object.fromEntries(session.outputs.map(({ name }) => [name, []]));
  for (let t = 0; t < steps; t++) {
    const x = Object.fromEntries(
      session.inputs.map((port) => {
        const { data } = arrays.get(port.name)!;
        const out = new Float32Array(batch * port.width);
        for (let b = 0; b < batch; b++)
          out.set(data.subarray((b * steps + t) * port.width, (b * steps + t + 1) * port.width), b * port.width);
        return [port.name, out];
      }),
    );
    session.step(streams, x);
    for (const { name } of session.outputs) {
      const due = session.output(name);
      if (due) rows[name]!.push(due.slice());
    }
  }
  return Object.fromEntries(
    session.outputs.map(({ name, shape, width }) => {
      const due = rows[name]!;
      const data = new Float32Array(batch * due.length * width);
      due.forEach((row, t) => {
        for (let b = 0; b < batch; b++)
          data.set(row.subarray(b * width, (b + 1) * width), (b * due.length + t) * width);
      });
      const inner = shape.filter((dim): dim is number => typeof dim === 'number').slice(-1);
      return [name, { shape: [batch, due.length, ...(sizeOf(inner) === width ? inner : [width])], data }];
    }),
  );
}
