import { decode } from '@gatefold/runtime';
import { datasetFromFile, modelFor, train, WasmBackend } from 'gatefold';

const verse = 'the gate is open, the gate is shut, the cell keeps what the gates let in; ';

/**
 * A small language model of a text, trained for a few epochs: in a page's worker or in Node.
 * @returns the last epoch's loss, and all weights one after the other
 */
export async function learn(workers, onEvent) {
  const text = new TextEncoder().encode(verse.repeat(40));
  const data = datasetFromFile('verse.txt', text, { ownVocabulary: true });
  const model = modelFor('embedding:8 lstm:24 gru:16 dense', data, 7);
  let loss;
  const { model: trained } = await train(model, data, {
    ...{ epochs: 4, batch: 8, window: 32, seed: 7, dropout: 0.1 },
    optimizer: { name: 'adam', rate: 0.01, clipNorm: 1 },
    ...(workers ? { workers } : {}),
    // The kernels that run everywhere: those of relaxed SIMD are faster, and have other bits.
    backend: new WasmBackend(undefined, 'simd128'),
    onEvent(event) {
      if (event.kind === 'epoch') loss = event.loss;
      onEvent?.(event);
    },
  });
  return { loss, weights: Object.values(trained.weights).flatMap((weight) => [...decode(weight)]) };
}
