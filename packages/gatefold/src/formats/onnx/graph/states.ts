import { type Node, type OutputPort, type PortState, sizeOf } from '@gatefold/runtime';
import type { GraphBuilder } from '../../graph-builder.ts';

/** Where each feature of a value comes from. */
interface Trace {
  readonly from: readonly string[];
  readonly index: Int32Array;
}

const mostFeatures = 1 << 16;

/** Follows values back through nodes that only move features. */
class Tracer {
  private readonly builder: GraphBuilder;
  private readonly makers: ReadonlyMap<string, Node>;
  private readonly known = new Map<string, Trace>();

  constructor(builder: GraphBuilder) {
    this.builder = builder;
    this.makers = new Map(builder.nodes.flatMap((node) => Object.values(node.outputs).map((value) => [value, node])));
  }

  trace(value: string): Trace {
    let found = this.known.get(value);
    if (!found) {
      found = this.make(value);
      this.known.set(value, found);
    }
    return found;
  }

  private make(value: string): Trace {
    const node = this.makers.get(value);
    const width = sizeOf(this.builder.type(value).shape);
    const own = () => ({
      from: new Array<string>(width).fill(value),
      index: Int32Array.from({ length: width }, (_, i) => i),
    });
    if (!node || width > mostFeatures) return own();
    const { attributes } = node;
    const picked = (source: Trace, at: (i: number) => number): Trace => ({
      from: Array.from({ length: width }, (_, i) => source.from[at(i)]!),
      index: Int32Array.from({ length: width }, (_, i) => source.index[at(i)]!),
    });
    if (node.op === 'slice') return picked(this.trace(node.inputs.x!), (i) => i + Number(attributes.from ?? 0));
    if (node.op === 'reshape' && attributes.keepTime === true) return this.trace(node.inputs.x!);
    if (node.op === 'view') {
      const sizes = attributes.sizes as number[];
      const strides = attributes.strides as number[];
      return picked(this.trace(node.inputs.x!), (i) => {
        let at = Number(attributes.offset ?? 0);
        let rest = i;
        for (let k = sizes.length - 1; k >= 0; k--) {
          at += (rest % sizes[k]!) * strides[k]!;
          rest = Math.floor(rest / sizes[k]!);
        }
        return at;
      });
    }
    if (node.op === 'concat') {
      const parts: Trace[] = [];
      for (let i = 0; node.inputs[i] !== undefined; i++) parts.push(this.trace(node.inputs[i]!));
      return {
        from: parts.flatMap(({ from }) => from),
        index: Int32Array.from(parts.flatMap(({ index }) => [...index])),
      };
    }
    return own();
  }
}

export interface Absorbed {
  readonly outputs: readonly OutputPort[];
  /** Inputs and outputs that became the cells' own states, by the file's names. */
  readonly states: readonly PortState[];
}

interface Use {
  readonly index: number;
  readonly state: string;
  /** What the state is after the step, or after the call. */
  readonly after: readonly string[];
}

/**
 * Lets the states that a file hands from output to input be the cells' own, which start at zero and go from step to step by
 * themselves. Only where every feature of the output is what the cell made of the same feature of the input.
 */
export function absorbStates(
  builder: GraphBuilder,
  inputs: ReadonlySet<string>,
  outputs: readonly OutputPort[],
  lifted: boolean,
  cells: ReadonlyMap<string, string>,
): Absorbed {
  const tracer = new Tracer(builder);
  const states: PortState[] = [];
  let left = outputs;
  for (const input of inputs) {
    const uses = usesOf(builder, tracer, input, lifted, cells);
    const output = uses && left.find((port) => gives(builder, tracer, uses, input, port.value));
    if (!uses || !output) continue;
    const before = [...builder.nodes];
    for (const { index, state } of uses) {
      const node = builder.nodes[index]!;
      builder.nodes[index] = {
        ...node,
        inputs: Object.fromEntries(Object.entries(node.inputs).filter(([key]) => key !== state)),
      };
    }
    const rest = left.filter((port) => port !== output);
    if (rest.length > 0 && !reads(builder, rest, input)) {
      states.push({ input, output: output.name });
      left = rest;
      builder.inputs.splice(
        builder.inputs.findIndex(({ name }) => name === input),
        1,
      );
    } else builder.nodes.splice(0, builder.nodes.length, ...before);
  }
  return { outputs: left, states };
}

/** The forward cells that take this input as their state; undefined where another uses it too. */
function usesOf(
  builder: GraphBuilder,
  tracer: Tracer,
  input: string,
  lifted: boolean,
  cells: ReadonlyMap<string, string>,
): Use[] | undefined {
  const uses: Use[] = [];
  builder.nodes.forEach((node, index) => {
    if (node.op !== 'recurrent' || node.attributes.direction === 'backward') return;
    for (const state of ['h', 'c']) {
      const value = node.inputs[state];
      if (value === undefined || !tracer.trace(value).from.every((name) => name === input)) continue;
      const step = state === 'h' ? node.outputs.y : cells.get(node.outputs.c!);
      const after = [node.outputs[state], lifted ? step : undefined];
      uses.push({ index, state, after: after.filter((name) => name !== undefined) });
    }
  });
  return uses.length > 0 ? uses : undefined;
}

function gives(builder: GraphBuilder, tracer: Tracer, uses: readonly Use[], input: string, output: string): boolean {
  const width = sizeOf(builder.type(input).shape);
  if (sizeOf(builder.type(output).shape) !== width) return false;
  const made = tracer.trace(output);
  const taken = new Set<number>();
  for (const { index, state, after } of uses) {
    const { index: places } = tracer.trace(builder.nodes[index]!.inputs[state]!);
    for (let i = 0; i < places.length; i++) {
      const place = places[i]!;
      if (taken.has(place) || made.index[place] !== i || !after.includes(made.from[place]!)) return false;
      taken.add(place);
    }
  }
  return taken.size === width;
}

/** Whether any node that the outputs need reads the value. */
function reads(builder: GraphBuilder, outputs: readonly OutputPort[], value: string): boolean {
  return (
    outputs.some((port) => port.value === value) ||
    builder.graph(outputs).nodes.some((node) => Object.values(node.inputs).includes(value))
  );
}
