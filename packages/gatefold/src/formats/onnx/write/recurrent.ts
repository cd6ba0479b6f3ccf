import { type Node, parseActivation } from '@gatefold/runtime';
import { cellFunction } from './functions.ts';
import { type IntegerGru, integerGru, scanGru } from './gru.ts';
import { integerMatrix, microsoft } from './integer.ts';
import { matrixTensor, vectorOf } from './weights.ts';
import type { Attributes, Writer } from './writer.ts';

/** The gates of the file as places among ours; −1 − place for the turned sign of a coupled gate. */
export function gateOrder(cell: string, coupled: boolean): readonly number[] {
  // ONNX: i o f c, with f = 1 − i where coupled. Ours: i f o g; or f o g with i = 1 − f, so that i = σ(−f's sum).
  if (cell === 'lstm') return coupled ? [-1, 1, -1, 2] : [0, 2, 1, 3];
  return cell === 'gru' ? [0, 1, 2] : [0];
}

/** The rows of gates in an order, as {@link Placement} has them. */
export function rowsIn(order: readonly number[], units: number): number[] {
  return order.flatMap((gate) => {
    const first = (gate < 0 ? -1 - gate : gate) * units;
    return Array.from({ length: units }, (_, i) => (gate < 0 ? -1 - (first + i) : first + i));
  });
}

function inOrder(values: Float32Array | undefined, rows: readonly number[]): number[] {
  return rows.map((row) => (values === undefined ? 0 : row < 0 ? -values[-1 - row]! : values[row]!));
}

/** The cell's functions in ONNX' words. */
function functionsOf(writer: Writer, node: Node, cell: string): Attributes {
  const candidate = parseActivation(node.attributes.activation) ?? (['tanh'] as const);
  const gate = parseActivation(node.attributes.recurrentActivation) ?? (['sigmoid'] as const);
  const list = cell === 'lstm' ? [gate, candidate, candidate] : cell === 'gru' ? [gate, candidate] : [candidate];
  const made = list.map(
    (activation) =>
      cellFunction(activation) ?? writer.refuse(node, `has no cell with the function "${activation.join(' ')}"`),
  );
  const alphas = made.flatMap(({ alpha }) => (alpha === undefined ? [] : [alpha]));
  const betas = made.flatMap(({ beta }) => (beta === undefined ? [] : [beta]));
  return {
    activations: made.map(({ name }) => name),
    ...(alphas.length > 0 ? { activation_alpha: { floats: alphas } } : {}),
    ...(betas.length > 0 ? { activation_beta: { floats: betas } } : {}),
  };
}

/** States that go in and out of the file, as our runtime keeps them from step to step. */
export interface StatePorts {
  /** The tensor [1, batch, units] that comes in. */
  input(node: Node, state: string, units: number): string;
  output(node: Node, state: string, tensor: string): void;
}

/** LSTM, GRU or RNN with time first, as onnxruntime wants it, and transposes around it. */
export function writeRecurrent(writer: Writer, node: Node, ports: StatePorts | undefined): void {
  const { attributes, name } = node;
  const cell = String(attributes.cell);
  const units = Number(attributes.units);
  const coupled = attributes.coupled === true;
  if (node.inputs.mask !== undefined) writer.refuse(node, 'has no masks over time', 'remove the masking layer');
  if (node.weights.R !== undefined) writer.refuse(node, 'has no projected states');
  if (!['lstm', 'gru', 'rnn'].includes(cell)) writer.refuse(node, `has no cell "${cell}"`);
  const gate = parseActivation(attributes.recurrentActivation)?.[0] ?? 'sigmoid';
  if (coupled && gate !== 'sigmoid') writer.refuse(node, 'couples gates of the sigmoid only');
  const order = rowsIn(gateOrder(cell, coupled), units);
  const resetAfter = attributes.resetAfter === true;
  const b = vectorOf(writer, node, 'b');
  const bR = vectorOf(writer, node, 'bR');
  const scanned = integerGru(writer, node);
  if (scanned) {
    writeScan(writer, node, scanned, ports);
    return;
  }
  const placement = { rows: order, lead: [1] as const };
  // There is no such operator of other cells.
  const w = cell === 'lstm' ? integerMatrix(writer, node, 'W', placement) : undefined;
  const u = w && integerMatrix(writer, node, 'U', placement);
  const inputs = [
    timeFirst(writer, node.inputs.x!),
    u ? w.codes : matrixTensor(writer, node, 'W', placement),
    u ? u.codes : matrixTensor(writer, node, 'U', placement),
    b || bR ? writer.floats(`${name}/B`, [1, 2 * order.length], [...inOrder(b, order), ...inOrder(bR, order)]) : '',
    '',
  ];
  const states = cell === 'lstm' ? ['h', 'c'] : ['h'];
  const backward = attributes.direction === 'backward';
  const kept = ports && !backward ? ports : undefined;
  for (const state of states) {
    if (node.inputs[state] !== undefined) {
      inputs.push(writer.add('Unsqueeze', `${name}/${state}0`, [writer.input(node, state), writer.ints([0])]));
    } else inputs.push(kept?.input(node, state, units) ?? '');
  }
  const peepholes = vectorOf(writer, node, 'P');
  if (peepholes) {
    const places = rowsIn(coupled ? [-1, 1, -1] : [0, 2, 1], units);
    inputs.push(writer.floats(`${name}/P`, [1, 3 * units], inOrder(peepholes, places)));
  }
  if (u) {
    while (inputs.length < 8) inputs.push('');
    inputs.push(w.scales, w.zero, u.scales, u.zero);
  } else while (inputs.at(-1) === '') inputs.pop();
  const opType = u ? 'DynamicQuantizeLSTM' : { lstm: 'LSTM', gru: 'GRU', rnn: 'RNN' }[cell]!;
  const clip = attributes.clip;
  const wanted = (state: string) =>
    node.outputs[state] !== undefined || (kept !== undefined && node.inputs[state] === undefined);
  const outputs = [
    node.outputs.y === undefined ? '' : `${name}/Y`,
    ...states.map((state) => (wanted(state) ? `${name}/Y_${state}` : '')),
  ];
  const written = {
    hidden_size: units,
    ...functionsOf(writer, node, cell),
    ...(backward ? { direction: 'reverse' } : {}),
    ...(cell === 'gru' && resetAfter ? { linear_before_reset: 1 } : {}),
    ...(coupled ? { input_forget: 1 } : {}),
    ...(typeof clip === 'number' ? { clip: { float: clip } } : {}),
  };
  const [y, ...after] = writer.addMany(opType, name, inputs, outputs, written, u ? microsoft : undefined);
  if (node.outputs.y !== undefined) {
    const steps = writer.add('Squeeze', `${name}/steps`, [y!, writer.ints([1])]);
    const value = node.outputs.y;
    writer.setTimeFirst(value, steps);
    writer.bind(value, writer.add('Transpose', value, [steps], { perm: [1, 0, 2] }));
  }
  states.forEach((state, i) => {
    const tensor = after[i]!;
    const value = node.outputs[state];
    if (value !== undefined) writer.bind(value, writer.add('Squeeze', value, [tensor, writer.ints([0])]));
    if (kept && node.inputs[state] === undefined) kept.output(node, state, tensor);
  });
}

/** A GRU step by step. */
function writeScan(writer: Writer, node: Node, matrices: IntegerGru, ports: StatePorts | undefined): void {
  const units = Number(node.attributes.units);
  const kept = ports && node.attributes.direction !== 'backward' && node.inputs.h === undefined ? ports : undefined;
  const squeezed = (tensor: string) => writer.add('Squeeze', `${node.name}/h0`, [tensor, writer.ints([0])]);
  const state = node.inputs.h === undefined ? '' : writer.input(node, 'h');
  const given = kept ? squeezed(kept.input(node, 'h', units)) : state;
  const { steps, last } = scanGru(writer, node, matrices, timeFirst(writer, node.inputs.x!), given);
  const { y, h } = node.outputs;
  if (y !== undefined) {
    writer.setTimeFirst(y, steps);
    writer.bind(y, writer.add('Transpose', y, [steps], { perm: [1, 0, 2] }));
  }
  if (h !== undefined) writer.bind(h, last);
  if (kept) kept.output(node, 'h', writer.add('Unsqueeze', `${node.name}/hn`, [last, writer.ints([0])]));
}

/** A sequence as [time, batch, features]; where another cell has just made it so, without a transpose. */
function timeFirst(writer: Writer, value: string): string {
  const known = writer.timeFirst(value);
  if (known !== undefined) return known;
  const made = writer.add('Transpose', `${value}/time-first`, [writer.tensorOf(value)], { perm: [1, 0, 2] });
  writer.setTimeFirst(value, made);
  return made;
}
