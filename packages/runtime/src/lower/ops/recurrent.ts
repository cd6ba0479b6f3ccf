import type { Cell, CellOptions, StepOps, StepResult } from '../../cells/index.ts';
import { cellOf, type Node, OpContext } from '../../model/index.ts';
import type { Activation } from '../../numerics/activation.ts';
import { roundUp } from '../../tensor/index.ts';
import type { Builder, Vector } from '../builder.ts';
import { emitLinear } from '../linear.ts';
import { emitBinary, emitCopy, emitUnary } from './elementwise.ts';

/** Implements a cell's equations by emitting instructions into the open scan block. */
class StepEmitter implements StepOps<Vector> {
  private readonly builder: Builder;
  private readonly node: Node;
  private readonly gateRows: number;
  /** Gates along the rows of each weight that has them: numbers of rows alone do not tell a wide projection from gates. */
  private readonly gateCounts: ReadonlyMap<string, number>;

  constructor(builder: Builder, node: Node, cell: Cell, options: CellOptions) {
    this.builder = builder;
    this.node = node;
    this.gateRows = options.units;
    this.gateCounts = new Map(
      cell.weights(options).flatMap(({ role, gates }) => (gates ? [[role, gates.length]] : [])),
    );
  }

  private get pitch(): number {
    return roundUp(this.gateRows, 16);
  }

  linear(
    role: string,
    src: Vector,
    { first = 0, count, add, bias }: { first?: number; count?: number; add?: Vector; bias?: string } = {},
  ): Vector {
    const weight = this.builder.weight(this.node, role)!;
    const gateCount = this.gateCounts.get(role);
    const gated = gateCount !== undefined;
    const blockRows = gated ? this.gateRows : weight.shape[0]!;
    const blocks = count ?? gateCount ?? 1;
    const dst = this.builder.vector(0, blocks * roundUp(blockRows, 16));
    emitLinear(this.builder, {
      weight,
      name: this.node.weights[role]!,
      place: `${this.node.name}/${role}`,
      src,
      dst: gated ? dst : { ref: dst.ref, width: blockRows },
      time: 0,
      blockRows,
      first,
      count: blocks,
      add,
      bias: bias === undefined ? undefined : this.builder.packedVector(this.node, bias, this.gateRows),
    });
    return gated ? dst : { ref: dst.ref, width: blockRows };
  }

  gates(z: Vector, first: number, count: number): Vector {
    const width = count === 1 ? this.gateRows : count * this.pitch;
    return { ref: { buffer: z.ref.buffer, offset: z.ref.offset + first * this.pitch }, width };
  }

  scale(role: string, gate: number, v: Vector): Vector {
    const packed = this.builder.packedVector(this.node, role, this.gateRows)!;
    const dst = this.builder.vector(0, v.width);
    const b = { constant: packed + gate * this.pitch * 4 };
    emitBinary(this.builder, 0, 'multiply', { ref: v.ref }, b, dst);
    return dst;
  }

  apply(activation: Activation, v: Vector): Vector {
    if (activation[0] === 'linear') return v;
    const dst = this.builder.vector(0, v.width);
    emitUnary(this.builder, 0, activation, v, dst);
    return dst;
  }

  add(a: Vector, b: Vector): Vector {
    const dst = this.builder.vector(0, a.width);
    emitBinary(this.builder, 0, 'add', { ref: a.ref }, { ref: b.ref }, dst);
    return dst;
  }

  multiply(a: Vector, b: Vector): Vector {
    const dst = this.builder.vector(0, a.width);
    emitBinary(this.builder, 0, 'multiply', { ref: a.ref }, { ref: b.ref }, dst);
    return dst;
  }
}

/** W·x + b for all rows at once, then a scan of the cell's step, with states loaded before and stored after. */
export function lowerRecurrent(builder: Builder, node: Node): void {
  const { analysis, model } = builder;
  const context = new OpContext(node, model, analysis.values, [...analysis.times]);
  const { cell, options } = cellOf(context);
  const x = builder.input(node, 'x');
  const { time } = x.type;
  const gateCount = cell.gates(options).length;
  const pitch = roundUp(options.units, 16);
  const backward = node.attributes.direction === 'backward';

  const pre = builder.vector(time, gateCount * pitch);
  emitLinear(builder, {
    weight: builder.weight(node, 'W')!,
    name: node.weights.W!,
    place: `${node.name}/W`,
    src: x.vector,
    dst: pre,
    time,
    blockRows: options.units,
    first: 0,
    count: gateCount,
    bias: builder.packedVector(node, 'b', options.units),
  });

  const state: Record<string, Vector> = {};
  const kept: Record<string, number | undefined> = {};
  for (const { name, width } of cell.states) {
    const size = width === 'output' ? options.outputWidth : options.units;
    const vector = builder.vector(0, size);
    state[name] = vector;
    if (node.inputs[name] !== undefined) {
      emitCopy(builder, 0, builder.input(node, name).vector, vector);
    } else if (!backward || node.attributes.stateful === true) {
      kept[name] = builder.state(size);
      builder.emit('loadState', { dst: { ref: vector.ref }, state: { state: kept[name]! }, n: { value: size } });
    } else {
      builder.emit('fill', {
        rows: builder.rows(0),
        dst: { ref: vector.ref },
        n: { value: size },
        value: { value: 0 },
      });
    }
  }

  const y = builder.output(node, 'y')?.vector;
  const mask = node.inputs.mask === undefined ? undefined : builder.input(node, 'mask').vector;
  // A masked step repeats the output before it, which is zero at first even where the states are not.
  const repeats = mask && y && node.attributes.zeroOutputForMask !== true;
  const previous = repeats ? builder.vector(0, y.width) : undefined;
  const keptPrevious = previous && !backward ? builder.state(previous.width) : undefined;
  if (previous && keptPrevious !== undefined) {
    builder.callStates.push({ at: keptPrevious, floats: previous.width });
    builder.emit('loadState', {
      dst: { ref: previous.ref },
      state: { state: keptPrevious },
      n: { value: previous.width },
    });
  } else if (previous) {
    builder.emit('fill', {
      rows: builder.rows(0),
      dst: { ref: previous.ref },
      n: { value: previous.width },
      value: { value: 0 },
    });
  }
  builder.scan(time, backward, () => {
    const emitter = new StepEmitter(builder, node, cell, options);
    const computed = step(emitter);
    const next = mask ? maskedStep(builder, mask, state, computed) : computed;
    for (const { name } of cell.states) {
      if (next[name]!.ref !== state[name]!.ref) emitCopy(builder, 0, next[name]!, state[name]!);
    }
    if (!y) return;
    if (!mask) emitCopy(builder, 0, state.h!, y);
    else if (previous) {
      const output = builder.vector(0, y.width);
      select(builder, mask, state.h!, previous, output);
      emitCopy(builder, 0, output, previous);
      emitCopy(builder, 0, output, y);
    } else select(builder, mask, state.h!, undefined, y);
  });

  if (previous && keptPrevious !== undefined) {
    builder.emit('storeState', {
      src: { ref: previous.ref },
      state: { state: keptPrevious },
      n: { value: previous.width },
    });
  }
  for (const { name } of cell.states) {
    const at = kept[name];
    if (at !== undefined) {
      const vector = state[name]!;
      builder.emit('storeState', { src: { ref: vector.ref }, state: { state: at }, n: { value: vector.width } });
    }
    const final = builder.output(node, name);
    if (final) emitCopy(builder, 0, state[name]!, final.vector);
  }

  function step(emitter: StepEmitter): StepResult<Vector> {
    const fused = cell.fused(options);
    if (fused === 'lstm') {
      const z = emitter.linear('U', state.h!, { add: pre });
      // A masked step must be able to keep the old c, which the kernel overwrites.
      const c = mask ? builder.vector(0, options.units) : state.c!;
      if (mask) emitCopy(builder, 0, state.c!, c);
      const h = mask ? builder.vector(0, options.units) : state.h!;
      builder.emit('lstm', {
        z: { ref: z.ref },
        c: { ref: c.ref },
        h: { ref: h.ref },
        n: { value: options.units },
        gate: { value: pitch },
      });
      return { h, c };
    }
    if (fused === 'gru') {
      const u = emitter.linear('U', state.h!, node.weights.bR === undefined ? {} : { bias: 'bR' });
      const h = mask ? builder.vector(0, options.units) : state.h!;
      builder.emit('gru', {
        pre: { ref: pre.ref },
        u: { ref: u.ref },
        h: { ref: state.h!.ref },
        dst: { ref: h.ref },
        n: { value: options.units },
        gate: { value: pitch },
      });
      return { h };
    }
    return cell.step(emitter, pre, state, options);
  }
}

/** New states where the mask is set, old ones elsewhere. */
function maskedStep(
  builder: Builder,
  mask: Vector,
  old: Record<string, Vector>,
  next: StepResult<Vector>,
): Record<string, Vector> {
  const out: Record<string, Vector> = {};
  for (const [name, vector] of Object.entries(next)) {
    const dst = builder.vector(0, vector.width);
    select(builder, mask, vector, old[name], dst);
    out[name] = dst;
  }
  return out;
}

function select(builder: Builder, mask: Vector, a: Vector, b: Vector | undefined, dst: Vector): void {
  builder.emit('select', {
    rows: builder.rows(0),
    mask: { ref: mask.ref },
    a: { ref: a.ref },
    b: b && { ref: b.ref },
    dst: { ref: dst.ref },
    n: { value: a.width },
  });
}
