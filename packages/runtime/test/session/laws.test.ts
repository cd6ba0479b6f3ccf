import { readGatefold, Session, type Tensor, writeGatefold } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { enginesHere } from '../support/engines.ts';
import { cellChoices, codings, smallModel } from '../support/models.ts';
import { randomSource, randomValues } from '../support/random.ts';

const engines = enginesHere();
const bits = (tensor: Tensor | Float32Array) => {
  const data = tensor instanceof Float32Array ? tensor : tensor.data;
  return Array.from(new Uint32Array(data.slice().buffer));
};

const cases = [
  ...Object.keys(cellChoices).flatMap((cell) => ['f32', 'int8', 'int4'].map((coding) => ({ cell, coding }))),
  ...Object.keys(codings).flatMap((coding) => ['lstm', 'gruBefore'].map((cell) => ({ cell, coding }))),
  // Several strips, of which some are cut, and several tiles of columns.
  ...Object.keys(codings)
    .filter((coding) => /^(sparse|scattered|silent)/.test(coding))
    .map((coding) => ({ cell: 'lstmPeephole', coding, units: 37 })),
] as { cell: string; coding: string; units?: number }[];

describe.each(cases)('$cell $coding', ({ cell, coding, units = 9 }) => {
  const features = 5;
  const model = smallModel(cell.length * 31 + coding.length, cellChoices[cell]!, { features, units, coding });
  const random = randomSource(7);
  const steps = 11;
  const x = randomValues(random, steps * features, 2);
  const whole = new Session(model, { engine: engines[0]! }).run(x).y!;

  it('gives the same bits on every engine', () => {
    for (const engine of engines.slice(1)) {
      expect(bits(new Session(model, { engine }).run(x).y!), engine.name).toEqual(bits(whole));
    }
  });

  it.each(engines.map((engine) => ({ engine, name: engine.name })))('keeps its laws on $name', ({ engine }) => {
    const session = new Session(model, { engine });
    const outputs = session.outputs[0]!.width;
    // Step by step, with the state saved and restored half-way, equals the whole.
    const stream = session.stream();
    let at = 0;
    const stepped: number[] = [];
    for (; at < 5; at++) stepped.push(...bits(stream.step(x.subarray(at * features, (at + 1) * features))!));
    const later = session.stream();
    later.restore(stream.save());
    for (; at < steps; at++) stepped.push(...bits(later.step(x.subarray(at * features, (at + 1) * features))!));
    expect(stepped).toEqual(bits(whole));
    // Any chunking equals the whole.
    const chunked = session.stream();
    const pieces = [x.subarray(0, 3 * features), x.subarray(3 * features, 4 * features), x.subarray(4 * features)];
    expect(pieces.flatMap((piece) => bits(chunked.push(piece).y!))).toEqual(bits(whole));
    // A stream among others, starting at different times, equals the stream alone.
    const batch = 3;
    const others = randomValues(random, batch * steps * features);
    others.set(x, steps * features);
    const together = session.run(others, { batch }).y!;
    const own = together.data.slice(steps * outputs, 2 * steps * outputs);
    expect(bits(own)).toEqual(bits(whole));
    const clone = chunked.clone();
    expect(bits(clone.step(x.subarray(0, features))!)).toEqual(bits(chunked.step(x.subarray(0, features))!));
    chunked.reset();
    expect(bits(chunked.push(x).y!)).toEqual(bits(whole));
  });

  it('reads back from its container with the same bits', () => {
    const bytes = writeGatefold(model);
    const again = readGatefold(bytes);
    expect(writeGatefold(again)).toEqual(bytes);
    expect(bits(new Session(again, { engine: engines[0]! }).run(x).y!)).toEqual(bits(whole));
  });
});
