import { type Dim, fail, type Port, sizeOf } from '@gatefold/runtime';
import type { Lift } from './lift.ts';
import type { Pieces, Signal } from './lifted.ts';
import { open, type Subgraph, type Tensor } from './parse.ts';

/** A port of the graph for an input tensor, and the tensor as the graph shows it. */
export function inputPort(graph: Subgraph, tensor: Tensor, opened: boolean): { port: Port; signal: Signal } {
  const { name, shape, type } = tensor;
  const place = name;
  const ids = isLookup(graph, tensor.index);
  const integer = type === 'INT32' || type === 'INT64';
  if (integer !== ids && type !== 'INT8' && type !== 'UINT8' && type !== 'INT16' && type !== 'FLOAT32') {
    fail('MODEL_UNSUPPORTED', `input "${name}" is of type ${type}`, { place, expected: 'FLOAT32, INT8, or ids' });
  }
  const timeMajor = shape.length === 3 && shape[1] === 1 && shape[0] !== 1;
  if ((shape[0] !== 1 && !timeMajor) || shape.length < 2) {
    fail('MODEL_UNSUPPORTED', `input "${name}" is of shape [${shape}]`, {
      place,
      expected: 'batch 1 first',
      hint: 'convert the model with batch size 1',
    });
  }
  const dims = shape.slice(1);
  const port = (rest: readonly Dim[]): Port => ({ name, shape: ['batch', ...rest], dtype: ids ? 'int32' : 'float32' });
  const signal = (time: number): Signal => ({ kind: 'signal', value: name, shape, time });
  if (ids) {
    if (dims.length > 2 || (dims.length === 2 && dims[1] !== 1))
      fail('MODEL_UNSUPPORTED', `input "${name}" holds several ids a step`, { place, found: `[${shape}]` });
    const steps = dims[0]!;
    const isOpen = steps === open || (opened && steps === 1);
    return { port: port(isOpen ? ['time'] : [steps, 1]), signal: signal(steps === 1 ? -1 : 1) };
  }
  if (timeMajor) return { port: port([shape[0]!, shape[2]!]), signal: signal(0) };
  if (dims.slice(1).includes(open)) {
    fail('MODEL_UNSUPPORTED', `input "${name}" leaves features open`, { place, found: String(shape.length) });
  }
  const features = dims.length === 1 ? dims : dims.slice(1);
  const steps = dims.length === 1 ? undefined : dims[0]!;
  const wide = features.filter((dim) => dim !== 1);
  const width = [sizeOf(features)];
  if (wide.length > 1) fail('MODEL_UNSUPPORTED', `input "${name}" holds images`, { place, found: `[${shape}]` });
  if (opened && (steps === undefined || steps === 1)) return { port: port(['time', ...width]), signal: signal(-1) };
  if (steps === undefined) return { port: port(width), signal: signal(-1) };
  if (steps === 1) return { port: port([1, ...width]), signal: signal(-1) };
  return { port: port([steps === open ? 'time' : steps, ...width]), signal: signal(1) };
}

/** Whether a tensor is what rows of a table are looked up by. */
function isLookup({ operators }: Subgraph, tensor: number): boolean {
  const followed = new Set([tensor]);
  for (const { name, inputs, outputs } of operators) {
    if (name === 'GATHER' && followed.has(inputs[1]!)) return true;
    if (name === 'EMBEDDING_LOOKUP' && followed.has(inputs[0]!)) return true;
    if ((name === 'CAST' || name === 'RESHAPE' || name === 'SQUEEZE') && followed.has(inputs[0]!))
      followed.add(outputs[0]!);
  }
  return false;
}

/** A state input, as elements that cells may take. */
export function statePieces(lift: Lift, tensor: Tensor): Pieces {
  const size = sizeOf(tensor.shape);
  lift.charge(size, tensor.name);
  lift.addState(tensor.name);
  const index = Int32Array.from({ length: size }, (_, i) => i);
  return { kind: 'pieces', shape: tensor.shape, sources: [tensor.name], source: new Int32Array(size), index };
}
