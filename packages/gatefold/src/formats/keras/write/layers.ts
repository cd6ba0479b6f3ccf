import { type Dim, fail, type Graph, type Model, type Node, type Port } from '@gatefold/runtime';
import { elementwiseMakers } from './elementwise.ts';
import { Emitter } from './emitter.ts';
import { linearMakers } from './linear.ts';
import { maskMakers } from './masks.ts';
import { kerasOrder } from './order.ts';
import { recurrentMakers } from './recurrent.ts';
import { sequenceMakers } from './sequence.ts';
import type { Dialect, LayerTensor, WrittenLayers } from './types.ts';

/** How each op becomes layers. */
const makers: Readonly<Record<string, (e: Emitter, node: Node) => void>> = {
  ...elementwiseMakers,
  ...linearMakers,
  ...maskMakers,
  ...recurrentMakers,
  ...sequenceMakers,
};

/**
 * The layers that a model means.
 * @throws MODEL_UNSUPPORTED naming the node that the dialect has no layer for
 */
export function layersOf(model: Model, dialect: Dialect): WrittenLayers {
  if (Object.keys(model.graphs).length > 1) {
    const hint = 'write each graph as a model of its own';
    fail('MODEL_UNSUPPORTED', 'a model of several graphs', { place: Object.keys(model.graphs).join(', '), hint });
  }
  const e = new Emitter(model, dialect);
  if (e.graph.states.length > 0)
    e.notes.add('explicit states are inputs and outputs of the written model: the caller hands them on');
  const batch = e.graph.nodes.some(({ attributes }) => attributes.stateful === true) ? 1 : null;
  const inputs = e.graph.inputs.map((port) => {
    const tensor = e.add('InputLayer', port.name, inputConfig(e, port, batch), []);
    e.set(port.name, tensor);
    return tensor;
  });
  for (const node of e.graph.nodes) {
    const make = Object.hasOwn(makers, node.op) ? makers[node.op]! : e.refuse(node, 'there is no layer for this op');
    make(e, node);
  }
  checkDepth(e.graph);
  const outputs = distinct(
    e,
    e.graph.outputs.map(({ value }) => e.carrying(value)),
  );
  const layers = kerasOrder(inputs, outputs);
  if (
    dialect === 'keras2' &&
    /"hard_sigmoid"/.test(JSON.stringify(layers.map(({ config, inner }) => [config, inner])))
  ) {
    e.notes.add(
      'hard_sigmoid is meant as Keras 2 computes it; in Keras 3 its slope is another: load the .h5 in Keras 2, or write a .keras',
    );
  }
  return { name: model.name || 'model', layers, inputs, outputs, notes: [...e.notes] };
}

/** TensorFlow.js answers each tensor once. */
function distinct(e: Emitter, outputs: readonly LayerTensor[]): LayerTensor[] {
  if (e.dialect !== 'tfjs') return [...outputs];
  const seen = new Set<string>();
  return outputs.map((tensor) => {
    const { layer, call, output } = tensor;
    const key = JSON.stringify([layer.name, call, output]);
    if (!seen.has(key)) {
      seen.add(key);
      return tensor;
    }
    return e.add('Activation', `${layer.name}/again`, { activation: 'linear' }, [tensor]);
  });
}

/** Layers are made from the outputs backward, each when it is asked for: chains must fit the call stack. */
const deepest = 800;

function checkDepth({ nodes }: Graph): void {
  const depths = new Map<string, number>();
  for (const { name, inputs, outputs } of nodes) {
    const depth = 1 + Math.max(0, ...Object.values(inputs).map((value) => depths.get(value) ?? 0));
    if (depth > deepest) {
      fail('MODEL_UNSUPPORTED', 'the model has more nodes in a row than can be written as layers', {
        place: name,
        expected: `at most ${deepest}`,
      });
    }
    for (const value of Object.values(outputs)) depths.set(value, depth);
  }
}

/** The shape with its batch, and the type; TensorFlow needs the batch of stateful layers. */
function inputConfig(e: Emitter, { name, shape, dtype }: Port, batch: number | null): Record<string, unknown> {
  const dims = shape.slice(1).map((dim: Dim) => (typeof dim === 'number' ? dim : null));
  // Ids of a fixed number have a dimension of one that tells them from features.
  const isIds = dtype === 'int32';
  const own = isIds && dims.length === 2 && dims[1] === 1 ? dims.slice(0, 1) : dims;
  const lookedUp = e.usersOf(name).every(({ op }) => op === 'embedding' || op === 'mask');
  return {
    [e.dialect === 'keras3' ? 'batch_shape' : 'batch_input_shape']: [batch, ...own],
    dtype: isIds && lookedUp ? 'int32' : 'float32',
    sparse: false,
    ragged: false,
  };
}
