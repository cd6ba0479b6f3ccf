import { GatefoldError, type Model } from '@gatefold/runtime';
import type { WrittenModel } from '../../src/formats/types.ts';

export interface Written {
  readonly files: WrittenModel;
  /** Which of the model's outputs were written. */
  readonly outputs: readonly number[];
  /** Names of the nodes that were refused. */
  readonly refused: readonly string[];
}

/** Writes a model, leaving out the outputs that need a node which the format has no layer for. */
export async function writeWhatCanBe(
  whole: Model,
  write: (model: Model) => Promise<WrittenModel>,
): Promise<Written | undefined> {
  const [[name, graph]] = Object.entries(whole.graphs) as [[string, Model['graphs'][string]]];
  let outputs = graph.outputs.map((_, i) => i);
  const refused: string[] = [];
  while (outputs.length > 0) {
    const kept = { ...graph, outputs: outputs.map((i) => graph.outputs[i]!) };
    try {
      return { files: await write({ ...whole, graphs: { [name]: kept } }), outputs, refused };
    } catch (error) {
      const place =
        error instanceof GatefoldError && error.code === 'MODEL_UNSUPPORTED' ? error.detail.place : undefined;
      if (place === undefined) throw error;
      refused.push(place);
      const lost = new Set<string>();
      for (const node of graph.nodes) {
        if (node.name !== place && !Object.values(node.inputs).some((value) => lost.has(value))) continue;
        for (const value of Object.values(node.outputs)) lost.add(value);
      }
      const left = outputs.filter((i) => !lost.has(graph.outputs[i]!.value));
      if (left.length === outputs.length) throw error;
      outputs = left;
    }
  }
  return undefined;
}
