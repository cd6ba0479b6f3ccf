import {
  analyse,
  bitsPerWeight,
  type Dim,
  decode,
  type FrontEndOptions,
  frontEndOptions,
  graphOf,
  type Model,
  type Node,
  portShape,
  storedBytes,
} from '@gatefold/runtime';
import { encodingName, macsOf } from '../../evaluate/index.ts';
import { architectureTemplate } from '../../formats/index.ts';
import { readBytes } from '../../node/files.ts';
import type { LoadedModel, LoadOptions } from '../../node/load.ts';
import { alignedTable, showBytes, showMacs, showNumber } from '../../report/format.ts';
import type { Context } from '../context.ts';
import { assumptionsOf, openModel } from '../open.ts';

/** What `inspect --json` prints. */
function describeModel({ model, format, bytes }: LoadedModel) {
  const graphs = Object.keys(model.graphs).map((name) => describeGraph(model, name));
  const main = graphs[0]!;
  const weights = Object.values(model.weights).map(decode);
  return {
    format: format.name,
    formatVersion: format.version,
    name: model.name,
    parameters: weights.reduce((sum, values) => sum + values.length, 0),
    nonZero: weights.reduce((sum, values) => sum + countNonZero(values), 0),
    bytes,
    ...(frontEndOptions(model) ? { frontEnd: frontEndOptions(model) } : {}),
    ...main,
    ...(graphs.length > 1 ? { graphs } : {}),
    ...(assumptionsOf(model).length > 0 ? { assumptions: assumptionsOf(model) } : {}),
  };
}

function describeGraph(model: Model, name: string) {
  const { graph } = graphOf(model, name);
  const analysis = analyse(model, name);
  const macsAt = (node: Node) => {
    const { executed, dense } = macsOf(model, node, analysis);
    return { macsPerStep: executed, denseMacsPerStep: dense };
  };
  const nodes = graph.nodes.map((node) => ({
    name: node.name,
    op: node.op,
    ...(node.op === 'recurrent'
      ? {
          cell: String(node.attributes.cell),
          units: Number(node.attributes.units),
          direction: String(node.attributes.direction ?? 'forward'),
        }
      : {}),
    shape: Object.values(node.outputs).map((value) => portShape(analysis, analysis.values.get(value)!))[0] ?? [],
    weights: Object.entries(node.weights).map(([role, key]) => {
      const weight = model.weights[key]!;
      return {
        role,
        shape: weight.shape,
        encoding: encodingName(weight),
        bits: bitsPerWeight(weight),
        nonZero: countNonZero(decode(weight)),
        bytes: storedBytes(weight),
      };
    }),
    ...macsAt(node),
  }));
  return {
    graph: name,
    macsPerStep: nodes.reduce((sum, node) => sum + node.macsPerStep, 0),
    denseMacsPerStep: nodes.reduce((sum, node) => sum + node.denseMacsPerStep, 0),
    streams: analysis.wholeReasons.length === 0,
    wholeReasons: analysis.wholeReasons,
    inputs: graph.inputs,
    outputs: graph.outputs.map(({ name: port, value }) => ({
      name: port,
      shape: portShape(analysis, analysis.values.get(value)!),
      dtype: 'float32',
    })),
    nodes,
  };
}

function countNonZero(values: Float32Array): number {
  let count = 0;
  for (const value of values) if (value !== 0) count++;
  return count;
}

const showDims = (shape: readonly Dim[]) => `[${shape.join(', ')}]`;

function describeFrontEnd({
  sampleRate,
  window,
  hop,
  melBands,
  coefficients,
  lowest,
  highest,
  mean,
}: FrontEndOptions): string {
  const ms = (samples: number) => `${Number(((samples / sampleRate) * 1000).toFixed(2))} ms`;
  const bands = `${melBands} mel bands from ${lowest} to ${highest} Hz`;
  const features = coefficients === undefined ? bands : `${coefficients} MFCC of ${bands}`;
  return `${sampleRate} Hz, ${features}, ${ms(window)} every ${ms(hop)}${mean ? ', normalized' : ''}`;
}

function describeText(about: ReturnType<typeof describeModel>): string {
  const cells = (count: number, show: (n: number) => string) => (count === 0 ? '' : show(count));
  const rows = about.nodes.map((node) => [
    node.name,
    node.cell === undefined ? node.op : `${node.cell}${node.direction === 'backward' ? ' ←' : ''}`,
    showDims(node.shape),
    [...new Set(node.weights.filter((weight) => weight.shape.length > 1).map((weight) => weight.encoding))].join(', '),
    cells(
      node.weights.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
      showNumber,
    ),
    cells(
      node.weights.reduce((sum, { nonZero }) => sum + nonZero, 0),
      showNumber,
    ),
    cells(
      node.weights.reduce((sum, weight) => sum + weight.bytes, 0),
      showBytes,
    ),
    cells(node.denseMacsPerStep, () => showMacs(node)),
  ]);
  const right = ['parameters', 'not zero', 'bytes', 'MACs/step'];
  return [
    `${about.name}  (${about.format} ${about.formatVersion}, ${showBytes(about.bytes)})`,
    `inputs   ${about.inputs.map((port) => `${port.name} ${showDims(port.shape)} ${port.dtype}`).join(', ')}`,
    `outputs  ${about.outputs.map((port) => `${port.name} ${showDims(port.shape)}`).join(', ')}`,
    ...(about.frontEnd ? [`sounds   ${describeFrontEnd(about.frontEnd)}`] : []),
    about.streams ? 'streams  step by step' : `streams  no: ${about.wholeReasons.join('; ')}`,
    '',
    alignedTable(['node', 'op', 'output', 'matrices', ...right], rows, right),
    '',
    `${showNumber(about.parameters)} parameters, ${showNumber(about.nonZero)} not zero, ${showMacs(about)} multiply-accumulates per step`,
  ].join('\n');
}

export async function inspect(
  context: Context,
  path: string,
  options: LoadOptions & { template?: boolean },
): Promise<void> {
  if (options.template) {
    const template = architectureTemplate(await readBytes(path));
    context.result({ template }, template.trimEnd());
    return;
  }
  const loaded = await openModel(context, path, options);
  const about = describeModel(loaded);
  context.result(about, () => describeText(about));
}
