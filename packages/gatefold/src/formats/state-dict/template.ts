import type { ArchitectureLayer } from './architecture.ts';
import { draftOf } from './infer.ts';
import type { WeightFile } from './types.ts';

/** A value in the flow style of YAML, which JSON is; plain words stand without quotes. */
function flow(value: unknown): string {
  if (typeof value === 'string')
    return /^[A-Za-z_][\w.]*$/.test(value) && !reserved.has(value) ? value : JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  return JSON.stringify(value);
}

/** Words that YAML reads as something else. */
const reserved = new Set(['null', 'true', 'false', 'yes', 'no', 'on', 'off', 'Null', 'True', 'False', 'y', 'n']);

function layerLine(layer: ArchitectureLayer, remark: string | undefined): string {
  const fields = Object.entries(layer).filter(([, value]) => value !== undefined);
  const line = `  - { ${fields.map(([key, value]) => `${key}: ${flow(value)}`).join(', ')} }`;
  return remark === undefined ? line : `${line}  # ${remark}`;
}

const comment = (text: string) => `# ${text.replaceAll('\n', ' ')}`;

/**
 * The text of an architecture file, filled with everything that the file of weights tells, with comments on what a
 * person must decide. It is read as it stands where nothing is open.
 */
export function architectureTemplate(file: WeightFile): string {
  const { input, layers, assumptions, problems, unknown } = draftOf(file);
  const lines = [
    '# Architecture of a file of weights, for gatefold --arch. Check it against forward() of the model.',
    '#',
    ...(problems.length > 0 ? ['# To decide:', ...problems.map((text) => comment(`  - ${text}`)), '#'] : []),
    ...(assumptions.length > 0
      ? ['# Taken for granted:', ...assumptions.map((text) => comment(`  - ${text}`)), '#']
      : []),
    ...besideLines(file.beside),
    '# Layers follow each other; "from: NAME" or "from: [NAME, NAME]" reads from others, "name: NAME" names one.',
    '# Without weights there are: activation, softmax, logSoftmax, last, finalState, mean, max, reverse, pool, flatten,',
    '# repeat, concat, add, multiply.',
    'version: 1',
    `input: { ${Object.entries(input)
      .map(([key, value]) => `${key}: ${flow(value)}`)
      .join(', ')} }`,
    'layers:',
    ...layers.map(({ layer, remark }) => layerLine(layer, remark)),
    ...(layers.length === 0 ? ['  # - { type: lstm, weights: PREFIX }'] : []),
    ...(unknown.length > 0
      ? [
          '# Tensors of no known layer: give them to layers, or ignore those that inference does not need.',
          '# ignore:',
          ...unknown.slice(0, 100).map((key) => comment(`  - ${flow(key)}  # ${shapeOf(file, key)}`)),
        ]
      : []),
  ];
  return `${lines.join('\n')}\n`;
}

function shapeOf({ tensors }: WeightFile, key: string): string {
  return `[${tensors.get(key)?.shape.join(', ') ?? ''}]`;
}

/** Settings that stand in a checkpoint beside its weights. */
function besideLines(beside: Readonly<Record<string, unknown>>): string[] {
  const entries = Object.entries(beside).slice(0, 40);
  if (entries.length === 0) return [];
  return [
    '# Beside the weights the file holds:',
    ...entries.map(([key, value]) => comment(`  ${key}: ${JSON.stringify(value)?.slice(0, 200)}`)),
    '#',
  ];
}
