import { createSession, graphOf, type Model, simd128Engine } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { measureRanges } from '../../src/compress/index.ts';

const sequences = Array.from({ length: 4 }, (_, n) =>
  Float32Array.from({ length: 30 }, (_, i) => Math.sin(i * 1.7 + n)),
);

/** A cell over 6 steps that shows the outputs of each. */
function cellAlone(name: string, direction: string): Model {
  const made = smallModel(11, cellChoices[name]!, { features: 5, units: 8 });
  const { graph } = graphOf(made);
  const cell = graph.nodes.find(({ op }) => op === 'recurrent')!;
  const nodes = [{ ...cell, name: 'cell', outputs: { y: 'y' }, attributes: { ...cell.attributes, direction } }];
  return { ...made, graphs: { main: { ...graph, nodes, outputs: [{ name: 'y', value: 'y' }] } } };
}

describe('ranges of calibration data', () => {
  it.each(
    ['rnnRelu', 'lstm', 'lstmProjected', 'gruAfter', 'gruBefore'].flatMap((name) => [
      [name, 'forward'] as const,
      [name, 'backward'] as const,
    ]),
  )('are those of what a session gives: %s, %s', (name, direction) => {
    const model = cellAlone(name, direction);
    const { steps, values } = measureRanges(model, () => sequences.map((x) => ({ inputs: { x }, batch: 1 })));
    const session = createSession(model, { engine: simd128Engine });
    const outputs = sequences.flatMap((x) => [...session.run({ x }).y!.data]);
    const [low, high] = [Math.min(...outputs), Math.max(...outputs)];
    expect(values.get('y')).toMatchObject({ low, high });
    // Steps are followed in float64, and begin at zero.
    const { h } = steps.get('cell')!.states;
    expect(h!.low).toBeCloseTo(Math.min(0, low), 5);
    expect(h!.high).toBeCloseTo(Math.max(0, high), 5);
  });
});
