import { fail } from '@gatefold/runtime';
import { constantOf } from './constant.ts';
import type { Operator, Subgraph, Tensor } from './parse.ts';

/** Bounds of what loops may be unrolled to. */
const mostTrips = 4096;
const mostOperators = 200_000;

function refuse(operator: Operator, message: string): never {
  fail('MODEL_UNSUPPORTED', `loop "${operator.place}": ${message}`, {
    place: operator.place,
    hint: 'convert the model with a fixed number of steps and batch size 1, or with unroll=True',
  });
}

/** A whole number that a tensor holds from the start. */
function wholeNumber(tensor: Tensor | undefined): number | undefined {
  if (!tensor?.data || (tensor.type !== 'INT32' && tensor.type !== 'INT64')) return undefined;
  const { data } = constantOf(tensor);
  return data.length === 1 ? data[0] : undefined;
}

/** How often a loop runs whose condition compares counters with constants. */
function tripsOf(operator: Operator, main: Subgraph, condition: Subgraph, body: Subgraph): number {
  let trips = Number.POSITIVE_INFINITY;
  const initial = (k: number) => wholeNumber(main.tensors[operator.inputs[k] ?? -1]);
  for (const { name, inputs } of condition.operators) {
    if (name === 'LOGICAL_AND') continue;
    const [counter = -1, limit = -1] = inputs;
    const k = condition.inputs.indexOf(counter);
    const passed = condition.inputs.indexOf(limit);
    const isInvariant = passed >= 0 && body.outputs[passed] === body.inputs[passed];
    const end = wholeNumber(condition.tensors[limit]) ?? (isInvariant ? initial(passed) : undefined);
    const start = initial(k);
    const next = body.operators.find(({ outputs }) => outputs[0] === body.outputs[k]);
    const step =
      next?.name === 'ADD' && next.inputs[0] === body.inputs[k]
        ? wholeNumber(body.tensors[next.inputs[1]!])
        : undefined;
    if (name !== 'LESS' || k < 0 || end === undefined || start === undefined || !step || step < 1) {
      return refuse(operator, 'it does not count from one constant to another');
    }
    trips = Math.min(trips, Math.ceil((end - start) / step));
  }
  if (!(trips >= 1 && trips <= mostTrips)) refuse(operator, `it runs ${trips} times, 1 to ${mostTrips} are read`);
  return trips;
}

/**
 * The first graph with its loops written out: as often as they run, since recurrent layers that were unrolled are
 * recognised. Loops whose number of rounds depends on values are refused.
 * @throws MODEL_UNSUPPORTED
 */
export function withoutLoops(graphs: readonly Subgraph[]): Subgraph {
  const main = graphs[0]!;
  const used = new Set([0]);
  const tensors: Tensor[] = [...main.tensors];
  const operators: Operator[] = [];
  const shown = new Map<number, number>();
  const known = (tensor: number) => shown.get(tensor) ?? tensor;
  const add = (tensor: Tensor) => tensors.push({ ...tensor, index: tensors.length }) - 1;
  for (const operator of main.operators) {
    if (operator.name !== 'WHILE') {
      operators.push({ ...operator, inputs: operator.inputs.map(known) });
      continue;
    }
    const at = [Number(operator.options.condition), Number(operator.options.body)];
    const [condition, body] = at.map((i) => (i > 0 ? graphs[i] : undefined));
    const count = operator.inputs.length;
    const fits = (graph: Subgraph | undefined) => graph?.inputs.length === count;
    if (
      !condition ||
      !body ||
      !fits(condition) ||
      !fits(body) ||
      body.outputs.length !== count ||
      operator.outputs.length !== count
    )
      return fail('FILE_CORRUPT', 'a loop and its graphs do not fit', { place: operator.place });
    for (const i of at) used.add(i);
    const inputs = operator.inputs.map(known);
    const trips = tripsOf({ ...operator, inputs }, { ...main, tensors }, condition, body);
    if (operators.length + trips * body.operators.length > mostOperators)
      refuse(operator, `it would be written out to more than ${mostOperators} operators`);
    const constants = new Map(body.tensors.flatMap((tensor, i) => (tensor.data ? [[i, add(tensor)] as const] : [])));
    let state = inputs;
    for (let trip = 0; trip < trips; trip++) {
      const now = new Map([...constants, ...body.inputs.map((input, k) => [input, state[k]!] as const)]);
      for (const inner of body.operators) {
        if (inner.name === 'WHILE') refuse(operator, 'it holds another loop');
        const taken = inner.inputs.map((input) =>
          input === -1
            ? -1
            : (now.get(input) ??
              fail('FILE_CORRUPT', 'a tensor is used that no operator makes', { place: inner.place })),
        );
        for (const output of inner.outputs) now.set(output, add(body.tensors[output]!));
        operators.push({
          ...inner,
          inputs: taken,
          outputs: inner.outputs.map((output) => now.get(output)!),
          place: `${body.name || 'loop'} ${inner.place}`,
        });
      }
      state = body.outputs.map(
        (output) =>
          now.get(output) ?? fail('FILE_CORRUPT', 'a loop hands on what it does not make', { place: operator.place }),
      );
    }
    operator.outputs.forEach((output, k) => {
      shown.set(output, state[k]!);
    });
  }
  const others = graphs.filter((_, i) => !used.has(i));
  if (others.length > 0) {
    fail('MODEL_UNSUPPORTED', 'the file holds several graphs', {
      place: others
        .map(({ name }, i) => name || `graph ${i}`)
        .join(', ')
        .slice(0, 200),
      hint: 'files with one signature are read',
    });
  }
  return { ...main, tensors, operators, outputs: main.outputs.map(known) };
}
