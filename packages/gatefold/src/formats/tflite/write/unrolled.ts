import { type Activation, type CellOptions, cellOf, type Node, type StepOps } from '@gatefold/runtime';
import type { Interval } from '../../../compress/index.ts';
import { stepsHint } from '../../fix.ts';
import { activationOf, emitActivation } from './activation.ts';
import { aroundSteps, gateTensors } from './around-steps.ts';
import type { Emitter } from './emit.ts';

/** Above this many steps an unrolled layer makes files too large to be of use. */
const mostUnrolled = 1000;

/** A vector of stacked gates: a tensor for each. */
type Gates = readonly number[];

/** Writes a cell's own equations as operators, one step after the other. */
class UnrolledOps implements StepOps<Gates> {
  private readonly emitter: Emitter;
  private readonly node: Node;
  /** Tensors of the gates of each weight. */
  private readonly weights: ReadonlyMap<string, Gates>;
  private readonly units: number;
  private readonly calls: readonly Interval[] | undefined;
  private call = 0;

  constructor(emitter: Emitter, node: Node, units: number, weights: ReadonlyMap<string, Gates>) {
    this.emitter = emitter;
    this.node = node;
    this.units = units;
    this.weights = weights;
    this.calls = emitter.ranges?.steps.get(node.name)?.calls;
  }

  begin(): void {
    this.call = 0;
  }

  /** One call of the arithmetic: a tensor for each of its gates, made by `write`, with the same names in all steps. */
  private each(gates: Gates, write: (gate: number, y: number, i: number) => void): Gates {
    const range = this.calls?.[this.call];
    const name = `step/${this.call++}`;
    return gates.map((gate, i) => {
      const suffix = gates.length === 1 ? name : `${name}.${i}`;
      const y = this.emitter.between(this.node, suffix, [1, this.units], undefined, {
        ...(range && { range }),
        wide: true,
      });
      write(gate, y, i);
      return y;
    });
  }

  private binary(name: string, a: Gates, b: Gates): Gates {
    return this.each(a, (gate, y, i) => this.emitter.builder.operator(name, [gate, b[i]!], [y], { activation: 0 }));
  }

  linear(
    role: string,
    v: Gates,
    { first = 0, count, add, bias }: { first?: number; count?: number; add?: Gates; bias?: string } = {},
  ): Gates {
    const all = this.weights.get(role)!;
    const shift = bias === undefined ? undefined : this.weights.get(bias);
    const product = this.each(all.slice(first, count === undefined ? all.length : first + count), (matrix, y, i) => {
      const options = { activation: 0, weightsFormat: 0, keepDims: false };
      const inputs = [v[0]!, matrix, shift?.[first + i] ?? -1];
      this.emitter.builder.operator('FULLY_CONNECTED', inputs, [y], options, 3);
    });
    return add ? this.add(product, add) : product;
  }

  gates(z: Gates, first: number, count: number): Gates {
    return z.slice(first, first + count);
  }

  scale(role: string): never {
    return this.emitter.refuse(this.node, `${role} of a cell that stands step by step`);
  }

  apply(activation: Activation, v: Gates): Gates {
    if (activation[0] === 'linear') return v;
    const full = activationOf({ ...this.node, attributes: { activation: [...activation] } }, 'activation');
    return this.each(v, (gate, y) => emitActivation(this.emitter, this.node, full, gate, y));
  }

  add(a: Gates, b: Gates): Gates {
    return this.binary('ADD', a, b);
  }

  multiply(a: Gates, b: Gates): Gates {
    return this.binary('MUL', a, b);
  }
}

/** Options that would make graphs that nobody recognises as the cell. */
function refuseOptions(emitter: Emitter, node: Node, options: CellOptions): void {
  const odd = [
    [options.has('P'), 'peepholes'],
    [options.has('R'), 'a projection'],
    [options.coupled, 'a coupled gate'],
    [options.cellClip !== undefined, 'the bound of its state'],
  ].find(([is]) => is);
  const hint = 'write it as one operator: with --operand u7 or f32, and without --states';
  if (odd) emitter.refuse(node, `${odd[1]}, where cells stand step by step`, hint);
  if (emitter.stepwise && node.attributes.cell === 'rnn') {
    const fixed = `${stepsHint}; or float32 activations (--operand f32), without --states`;
    emitter.refuse(node, 'a simple cell over an open number of steps, where cells stand step by step', fixed);
  }
}

/**
 * A recurrent node by the equations of its cell, step by step: unrolled where the number of steps is known; else the file takes one step a
 * call with the states as inputs and outputs, as it does where that is asked for. As integers all of it has 16 bits.
 */
export function emitUnrolled(emitter: Emitter, node: Node): void {
  const { builder, ranges } = emitter;
  const explicit = emitter.stepwise || emitter.form.explicitStates === true;
  const { cell, options } = cellOf(emitter.context(node));
  const { units } = options;
  const features = emitter.width(node.inputs.x!);
  const steps = emitter.steps(node.inputs.x!)!;
  if (steps > mostUnrolled) {
    emitter.refuse(
      node,
      `${steps} steps, which would be unrolled`,
      `give it at most ${mostUnrolled}, or leave them open`,
    );
  }
  refuseOptions(emitter, node, options);
  const known = cell.weights(options).filter(({ role }) => options.has(role));
  const weights = new Map(
    known.map(({ role, gates, columns }): [string, Gates] => [
      role,
      gateTensors(
        emitter,
        node,
        role,
        gates!.length,
        columns ? [units, columns === 'features' ? features : units] : [units],
      ),
    ]),
  );
  const inner = ranges?.steps.get(node.name);
  const ofState = (name: string) => ({ ...(inner && { range: inner.states[name]! }), wide: true });
  const ops = new UnrolledOps(emitter, node, units, weights);
  aroundSteps(emitter, node, { width: units, wide: true }, (x, y) => {
    const inputs = Array.from({ length: steps }, () =>
      emitter.between(node, 'x', [1, features], undefined, { wide: true }),
    );
    builder.operator('UNPACK', [x], inputs, { count: steps, axis: 1 });
    const initial = Object.fromEntries(
      cell.states.map(({ name }) => [
        name,
        explicit
          ? emitter.between(node, `${name} in`, [1, units], undefined, ofState(name))
          : builder.floats(`${node.name}/zeros`, [1, units], new Float32Array(units), ofState(name)),
      ]),
    );
    let state: Readonly<Record<string, Gates>> = Object.fromEntries(
      Object.entries(initial).map(([name, tensor]) => [name, [tensor]]),
    );
    const results = inputs.map((frame) => {
      ops.begin();
      const pre = ops.linear('W', [frame], options.has('b') ? { bias: 'b' } : {});
      state = cell.step(ops, pre, state, options);
      builder.rename(state.h![0]!, `${node.name}/h`);
      return state.h![0]!;
    });
    builder.operator('PACK', results, [y], { count: steps, axis: 1 });
    if (!explicit) return;
    for (const { name } of cell.states) {
      emitter.states.push({ name: `${node.name} ${name}`, input: initial[name]!, output: state[name]![0]! });
    }
  });
}
