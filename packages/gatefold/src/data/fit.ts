import { fail, graphOf, type Model, showValue } from '@gatefold/runtime';
import type { Dataset } from './dataset.ts';
import { inTokensOf } from './symbols.ts';

/**
 * Names the arrays after the model's inputs (a single array may have any name), numbers tokens as the model does, and
 * checks shapes.
 * @throws DATA_INVALID
 */
export function fitToModel(given: Dataset, model: Model): Dataset {
  const dataset = inTokensOf(model, given);
  const { graph } = graphOf(model);
  const ports = graph.inputs.filter((port) => !graph.states.some((state) => state.input === port.name));
  const arrays = Object.entries(dataset.inputs);
  const stepwise = graph.states.length > 0;
  const inputs = Object.fromEntries(
    ports.map((port) => {
      const found =
        dataset.inputs[port.name] ?? (ports.length === 1 && arrays.length === 1 ? arrays[0]![1] : undefined);
      if (!found) {
        fail('DATA_INVALID', `the data have no array for input "${port.name}"`, {
          place: dataset.name,
          expected: ports.map(({ name }) => name).join(', '),
          found: arrays.map(([name]) => name).join(', '),
        });
      }
      const own = port.shape.map((dim) => (typeof dim === 'number' ? dim : -1));
      // A call of a model with states is one step of a sequence.
      const dims = stepwise && found.shape.length === 3 && own.length === 2 ? [own[0]!, -1, own[1]!] : own;
      const odd = dims[1] === -1 ? -1 : (found.lengths?.findIndex((steps) => steps !== dims[1]) ?? -1);
      if (odd >= 0) {
        fail('DATA_INVALID', `the sequences for input "${port.name}" must all have the model's length`, {
          place: `${dataset.name}: example ${odd + 1}`,
          expected: `${dims[1]} steps`,
          found: `${found.lengths![odd]}`,
          hint: 'cut or pad them as the model was trained',
        });
      }
      const idShape = dims.at(-1) === 1 && found.shape.length === dims.length - 1;
      const fits =
        (idShape || found.shape.length === dims.length) && found.shape.every((n, i) => dims[i] === -1 || dims[i] === n);
      if (!fits) {
        fail('DATA_INVALID', `the data do not fit input "${port.name}"`, {
          place: dataset.name,
          expected: `[${port.shape.map((dim) => (dim === 'batch' ? dataset.count : dim)).join(', ')}]`,
          found: `[${found.shape.join(', ')}]`,
          ...(/\.csv(:|$)/.test(dataset.name) && found.shape.length < dims.length
            ? { hint: '--window ROWS makes sequences of rows' }
            : {}),
        });
      }
      return [port.name, found];
    }),
  );
  const blank = dataset.task === 'transcribe' ? (dataset.blank ?? model.metadata.blank) : undefined;
  if (blank === undefined) return { ...dataset, inputs };
  if (typeof blank !== 'number' || !Number.isInteger(blank) || blank < 0) {
    fail('DATA_INVALID', 'the blank is no class number', { place: dataset.name, found: showValue(blank) });
  }
  return { ...dataset, inputs, blank };
}
