// Writes the ONNX files of the comparison: one recurrent layer with its state as explicit inputs and outputs.
import { gatesOf, reorderGates, transpose } from './weights.mjs';

const utf8 = new TextEncoder();

function varint(n) {
  const out = [];
  let value = BigInt(n);
  while (value > 127n) {
    out.push(Number(value & 127n) | 128);
    value >>= 7n;
  }
  return [...out, Number(value)];
}

const number = (field, value) => Uint8Array.from([...varint(field << 3), ...varint(value)]);

function bytes(field, value) {
  const data = typeof value === 'string' ? utf8.encode(value) : value;
  return concat([Uint8Array.from([...varint((field << 3) | 2), ...varint(data.length)]), data]);
}

function concat(parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

const message = (field, ...parts) => bytes(field, concat(parts));
const types = { float: 1, uint8: 2, int8: 3 };

function tensor(name, type, dims, data) {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return message(5, ...dims.map((n) => number(1, n)), number(2, types[type]), bytes(8, name), bytes(9, raw));
}

function port(field, name, dims) {
  const shape = dims.map((n) => message(1, typeof n === 'number' ? number(1, n) : bytes(2, n)));
  return message(field, bytes(1, name), message(2, message(1, number(1, types.float), message(2, ...shape))));
}

const attribute = (name, value) =>
  typeof value === 'number'
    ? message(5, bytes(1, name), number(3, value), number(20, 2))
    : message(5, bytes(1, name), bytes(4, value), number(20, 3));

function model(node, initializers, inputs, outputs) {
  const graph = message(7, node, bytes(2, 'layer'), ...initializers, ...inputs, ...outputs);
  const opset = (domain, version) => message(8, bytes(1, domain), number(2, version));
  return concat([number(1, 8), graph, opset('', 14), opset('com.microsoft', 1)]);
}

const order = { lstm: ['input', 'output', 'forget', 'candidate'], gru: ['update', 'reset', 'candidate'] };

/** Symmetric int8 over the whole matrix, transposed as DynamicQuantizeLSTM wants it. */
function quantized(layer, matrix) {
  const rows = gatesOf[layer.cell].length * layer.units;
  const across = transpose(matrix, rows);
  const scale = across.reduce((m, x) => Math.max(m, Math.abs(x)), 0) / 127;
  return { scale: Float32Array.of(scale), codes: Int8Array.from(across, (x) => Math.round(x / scale)) };
}

/** @returns the file's bytes, or undefined where ONNX Runtime has no fused int8 operator (GRU). */
export function onnxModel(layer, type) {
  const { cell, units: H } = layer;
  if (type === 'int8' && cell !== 'lstm') return undefined;
  const G = gatesOf[cell].length;
  const W = reorderGates(layer, layer.W, order[cell]);
  const R = reorderGates(layer, layer.U, order[cell]);
  const recurrentBias = layer.bR ? reorderGates(layer, layer.bR, order[cell]) : new Float32Array(G * H);
  const B = concatFloats(reorderGates(layer, layer.b, order[cell]), recurrentBias);
  const states = cell === 'lstm' ? ['h0', 'c0'] : ['h0'];
  const finals = cell === 'lstm' ? ['h1', 'c1'] : ['h1'];
  const attributes = [attribute('hidden_size', H), ...(cell === 'gru' ? [attribute('linear_before_reset', 1)] : [])];
  const bias = tensor('B', 'float', [1, 2 * G * H], B);
  const inputs = [port(11, 'X', ['time', 1, H]), ...states.map((name) => port(11, name, [1, 1, H]))];
  const outputs = [port(12, 'Y', ['time', 1, 1, H]), ...finals.map((name) => port(12, name, [1, 1, H]))];
  const names = (field, list) => list.map((name) => bytes(field, name));
  if (type === 'float32') {
    const node = message(
      1,
      ...names(1, ['X', 'W', 'R', 'B', '', ...states]),
      ...names(2, ['Y', ...finals]),
      bytes(4, cell.toUpperCase()),
      ...attributes,
    );
    return model(
      node,
      [tensor('W', 'float', [1, G * H, H], W), tensor('R', 'float', [1, G * H, H], R), bias],
      inputs,
      outputs,
    );
  }
  const w = quantized(layer, W);
  const r = quantized(layer, R);
  const parameters = ['X', 'W', 'R', 'B', '', ...states, '', 'Ws', 'Wz', 'Rs', 'Rz'];
  const node = message(
    1,
    ...names(1, parameters),
    ...names(2, ['Y', ...finals]),
    bytes(4, 'DynamicQuantizeLSTM'),
    ...attributes,
    bytes(7, 'com.microsoft'),
  );
  const zero = new Int8Array(1);
  return model(
    node,
    [
      tensor('W', 'int8', [1, H, G * H], w.codes),
      tensor('R', 'int8', [1, H, G * H], r.codes),
      bias,
      tensor('Ws', 'float', [1], w.scale),
      tensor('Wz', 'int8', [1], zero),
      tensor('Rs', 'float', [1], r.scale),
      tensor('Rz', 'int8', [1], zero),
    ],
    inputs,
    outputs,
  );
}

function concatFloats(a, b) {
  const out = new Float32Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
