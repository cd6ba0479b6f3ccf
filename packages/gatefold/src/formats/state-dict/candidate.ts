import type { ArchitectureLayer } from './architecture.ts';
import { isKnownClass, isSilent, layerOfClass } from './classes.ts';
import type { ModuleEntry, StateTensor } from './types.ts';

/** A module of the file and what it seems to be. */
export interface Candidate {
  readonly entry: ModuleEntry;
  /** Several where names and shapes do not decide; none where it is unknown. */
  readonly layers: readonly ArchitectureLayer[];
  /** Features that it takes and gives; undefined where it keeps them. */
  readonly takes?: number;
  readonly gives?: number;
  /** What is taken for granted, or what must be decided, where that is so. */
  readonly assumed?: string;
  readonly undecided?: string;
}

function widths(
  layer: ArchitectureLayer,
  tensors: ReadonlyMap<string, StateTensor>,
): Pick<Candidate, 'takes' | 'gives'> {
  const shapeOf = (name: string) => tensors.get(name)?.shape;
  if (layer.type === 'lstm' || layer.type === 'gru' || layer.type === 'rnn') {
    const input = shapeOf('weight_ih_l0') ?? shapeOf('weight_ih');
    let top = 0;
    while (tensors.has(`weight_ih_l${top + 1}`)) top++;
    const hidden = (shapeOf(`weight_hh_l${top}`) ?? shapeOf('weight_hh'))?.[1];
    const directions = tensors.has(`weight_ih_l${top}_reverse`) ? 2 : 1;
    return { takes: input?.[1] ?? -1, gives: hidden === undefined ? -1 : hidden * directions };
  }
  const weight = shapeOf('weight');
  if (layer.type === 'linear') return { takes: weight?.[1] ?? -1, gives: weight?.[0] ?? -1 };
  if (layer.type === 'conv1d') return { takes: weight?.[1] ?? -1, gives: weight?.[0] ?? -1 };
  if (layer.type === 'embedding') return { gives: weight?.[1] ?? -1 };
  const width = (weight ?? shapeOf('running_mean'))?.[0];
  return width === undefined || layer.type === 'prelu' ? {} : { takes: width, gives: width };
}

/** What a module of a whole model or of a state dict is, as far as its class, names and shapes tell. */
export function candidateOf(entry: ModuleEntry): Candidate | undefined {
  if (isSilent(entry)) return undefined;
  const { className, tensors, path } = entry;
  if (className === undefined) return candidateOfNames(entry, path);
  if (!isKnownClass(className)) {
    const undecided = `its class ${className} is not known`;
    return { ...(tensors.size === 0 ? { entry, layers: [] } : candidateOfNames(entry, path)), undecided };
  }
  const layer = layerOfClass(entry);
  if (layer) return { entry, layers: [layer], ...widths(layer, tensors) };
  // Scripts keep options in their code; names, shapes and the defaults must do.
  const byNames = tensors.size > 0 ? candidateOfNames(entry, path) : undefined;
  if (byNames && (byNames.assumed || byNames.undecided)) return byNames;
  return { entry, layers: [], undecided: `${className} with options that are not known` };
}

function candidateOfNames(entry: ModuleEntry, weights: string): Candidate {
  const { tensors } = entry;
  const with1 = (layer: ArchitectureLayer, more: Partial<Candidate> = {}): Candidate => ({
    entry,
    layers: [layer],
    ...widths(layer, tensors),
    ...more,
  });
  const hidden = tensors.get('weight_hh_l0') ?? tensors.get('weight_hh');
  if (hidden) {
    const projection = tensors.get('weight_hr_l0');
    const gates = (hidden.shape[0] ?? 0) / ((projection ? projection.shape[1] : hidden.shape[1]) ?? 1);
    if (gates === 4) return with1({ type: 'lstm', weights });
    if (gates === 3) return with1({ type: 'gru', weights });
    if (gates === 1) {
      return with1(
        { type: 'rnn', weights, nonlinearity: 'tanh' },
        { assumed: `${weights || 'the RNN'} has one gate: a plain RNN with tanh is assumed (not relu)` },
      );
    }
    return { entry, layers: [], undecided: `[${hidden.shape}] is of no LSTM, GRU or RNN` };
  }
  const weight = tensors.get('weight');
  const bias = tensors.get('bias');
  const names = [...tensors.keys()].filter((name) => name !== 'weight' && name !== 'bias');
  const statistics = names.filter((name) => /^(running_(mean|var)|num_batches_tracked)$/.test(name));
  if (statistics.length > 0 && statistics.length === names.length && tensors.has('running_mean')) {
    return with1(
      { type: 'batchNorm', weights, epsilon: 1e-5 },
      { assumed: `${weights || 'the norm'}: BatchNorm1d with eps 1e-5 is assumed` },
    );
  }
  if (names.length > 0 || !weight) {
    return {
      entry,
      layers: [],
      undecided: `tensors ${[...tensors.keys()].slice(0, 6).join(', ')} are of no known layer`,
    };
  }
  const dimensions = weight.shape.length;
  if (dimensions === 2 && bias) return with1({ type: 'linear', weights });
  if (dimensions === 2) {
    const embeds = /emb|wte|lookup/i.test(weights);
    const layers: ArchitectureLayer[] = embeds
      ? [{ type: 'embedding', weights }]
      : [
          { type: 'embedding', weights },
          { type: 'linear', weights },
        ];
    return { entry, layers, ...widths(layers[0]!, tensors) };
  }
  if (dimensions === 3) {
    return with1(
      { type: 'conv1d', weights, stride: 1, padding: 0, dilation: 1 },
      { undecided: 'the file does not hold stride, padding and dilation of a convolution' },
    );
  }
  if (dimensions === 1 && bias) {
    return with1(
      { type: 'layerNorm', weights, epsilon: 1e-5 },
      { assumed: `${weights || 'the norm'}: LayerNorm with eps 1e-5 is assumed` },
    );
  }
  return { entry, layers: [], undecided: `a weight of shape [${weight.shape}] is of no known layer` };
}
