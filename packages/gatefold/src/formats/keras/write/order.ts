import type { LayerCall, LayerTensor, WrittenLayer } from './types.ts';

/** A call of a layer among the others. */
interface Visit {
  readonly layer: WrittenLayer;
  readonly call: LayerCall;
}

/** Every tensor that goes into a call, in the order in which Keras sees them. */
export function tensorsOf({ inputs, states, mask }: LayerCall): LayerTensor[] {
  return [...inputs, ...states, ...(mask ? [mask] : [])];
}

/**
 * The layers that the outputs need, in the order of Keras' `model.layers`, by which it pairs layers with stored weights:
 * farthest from the outputs first, then as a walk from the outputs meets them. Inputs that nothing needs stay.
 */
export function kerasOrder(inputs: readonly LayerTensor[], outputs: readonly LayerTensor[]): WrittenLayer[] {
  const { finished, met } = walk(outputs);
  const callDepths = new Map<LayerCall, number>();
  const layerDepths = new Map<WrittenLayer, number>();
  for (const { layer, call } of finished.reverse()) {
    const depth = Math.max(callDepths.get(call) ?? 0, layerDepths.get(layer) ?? 0);
    layerDepths.set(layer, depth);
    callDepths.set(call, depth);
    for (const tensor of tensorsOf(call)) {
      const parent = tensor.layer.calls[tensor.call]!;
      callDepths.set(parent, Math.max(depth + 1, callDepths.get(parent) ?? 0));
    }
  }
  for (const { layer } of inputs) {
    if (layerDepths.has(layer)) continue;
    layerDepths.set(layer, 0);
    met.set(layer, -1);
  }
  return [...layerDepths.keys()].sort((a, b) => layerDepths.get(b)! - layerDepths.get(a)! || met.get(a)! - met.get(b)!);
}

/** Calls in the order in which a walk from the outputs is done with them, and layers as it meets them. */
function walk(outputs: readonly LayerTensor[]): { finished: Visit[]; met: Map<WrittenLayer, number> } {
  const finished: Visit[] = [];
  const met = new Map<WrittenLayer, number>();
  const seen = new Set<LayerCall>();
  // Models may be deeper than the call stack.
  const stack: { visit: Visit; next: number }[] = [];
  const enter = ({ layer, call: number }: LayerTensor): void => {
    const call = layer.calls[number]!;
    if (seen.has(call)) return;
    seen.add(call);
    if (!met.has(layer)) met.set(layer, met.size);
    stack.push({ visit: { layer, call }, next: 0 });
  };
  for (const output of outputs) {
    enter(output);
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const tensor = tensorsOf(top.visit.call)[top.next++];
      if (tensor) enter(tensor);
      else {
        finished.push(top.visit);
        stack.pop();
      }
    }
  }
  return { finished, met };
}
