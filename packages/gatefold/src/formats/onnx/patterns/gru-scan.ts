import { joinCodings } from '../graph/coding.ts';
import { type Constant, constant } from '../graph/tensor.ts';
import { gruStep, type StepNode } from '../gru-step.ts';
import type { CodedNames, IntegerProducts } from './integer.ts';
import { type Graph, makeNode, type Node } from './lookup.ts';

/** What a step reads, by the places of its inputs in the order in which its nodes ask for them. */
interface Plan {
  readonly resetAfter: boolean;
  readonly biased: boolean;
}
const plans: readonly Plan[] = [
  { resetAfter: true, biased: true },
  { resetAfter: true, biased: false },
  { resetAfter: false, biased: false },
];

/** Bodies have some twenty nodes: others are not compared. */
const mostNodes = 40;

/** A graph's nodes as text in which tensors are known by who makes them, and those from outside in the order asked for. */
function canonical(nodes: readonly StepNode[], inputs: readonly string[]): { text: string; outside: string[] } {
  const names = new Map(inputs.map((name, i) => [name, `in${i}`]));
  const outside: string[] = [];
  const lines = nodes.map(({ opType, input, output, attributes = {} }, n) => {
    const given = input.map((name) => {
      const known = names.get(name);
      if (known !== undefined) return known;
      outside.push(name);
      return 'outside';
    });
    output.forEach((name, i) => {
      names.set(name, `${n}.${i}`);
    });
    return `${opType}(${given.join()}) ${JSON.stringify(Object.entries(attributes).sort())}`;
  });
  return { text: lines.join('\n'), outside };
}

function template({ resetAfter, biased }: Plan) {
  const { nodes, next } = gruStep({
    x: 'x',
    h: 'h',
    sizes: 'sizes',
    one: 'one',
    matrices: (resetAfter ? ['all'] : ['gates', 'candidate']).map((name) => [name, `${name} scales`, `${name} zero`]),
    ...(biased ? { bias: 'bias' } : {}),
    ...(resetAfter ? {} : { twoSizes: 'two sizes' }),
  });
  return canonical([...nodes, { opType: 'Identity', input: [next], output: ['shown'] }], ['h', 'x']);
}

/** Tensors of a body by the template's names, where it is one of a GRU's step in integers. */
function matched(body: Graph): { plan: Plan; tensor: (name: string) => string | undefined } | undefined {
  if (body.node.length > mostNodes || body.input.length !== 2 || body.initializer.length > 0) return undefined;
  const nodes = body.node.map(({ opType = '', input, output, attribute, domain }) => ({
    ...{ opType: domain ? `${domain}.${opType}` : opType, input, output },
    attributes: Object.fromEntries(attribute.map(({ name = '', i }) => [name, i ?? Number.NaN])),
  }));
  const found = canonical(
    nodes,
    body.input.map(({ name = '' }) => name),
  );
  const last = nodes.slice(-2).flatMap(({ output }) => output);
  if (body.output.map(({ name }) => name).join('\n') !== last.join('\n')) return undefined;
  for (const plan of plans) {
    const known = template(plan);
    if (known.text !== found.text) continue;
    const tensors = new Map(known.outside.map((name, i) => [name, found.outside[i]!]));
    if (known.outside.every((name, i) => tensors.get(name) === found.outside[i]))
      return { plan, tensor: (name) => tensors.get(name) };
  }
  return undefined;
}

/**
 * A Scan over W·x + b whose body is a GRU's step in integers, as a GRU of the same weights; undefined where the node is none.
 */
export function gruScanAt(
  products: IntegerProducts,
  node: Node,
  constants: ReadonlyMap<string, Constant>,
): Node[] | undefined {
  const attribute = (name: string) => node.attribute.find((each) => each.name === name);
  const body = attribute('body')?.g;
  const step = body && matched(body);
  if (!step || node.input.length !== 2 || attribute('num_scan_inputs')?.i !== 1) return undefined;
  const directions = ['scan_input_directions', 'scan_output_directions'].map((name) => attribute(name)?.ints[0] ?? 0);
  const usual = ['body', 'num_scan_inputs', 'scan_input_directions', 'scan_output_directions'];
  if (directions[0] !== directions[1] || node.attribute.some(({ name }) => !usual.includes(name ?? '')))
    return undefined;
  const sum = products.lookup.maker(node.input[1], 'Add');
  const product = products.product(sum?.input[0] ?? node.input[1]!);
  const bias = sum && constants.get(sum.input[1] ?? '');
  const W = product && products.decoded(product.names, true);
  const name = node.name ?? '';
  const parts = (step.plan.resetAfter ? ['all'] : ['gates', 'candidate']).map((each) => {
    const names: CodedNames = [each, `${each} scales`, `${each} zero`].map(step.tensor) as unknown as CodedNames;
    return names.includes(undefined) ? undefined : products.decoded(names, true);
  });
  const U = joined(parts);
  const units = U?.shape[1] ?? 0;
  const inner = step.plan.biased ? constants.get(step.tensor('bias') ?? '') : undefined;
  const one = constants.get(step.tensor('one') ?? '');
  const sizes = [step.tensor('sizes'), ...(step.plan.resetAfter ? [] : [step.tensor('two sizes')])];
  const even = sizes.every((each) => {
    const found = constants.get(each ?? '')?.data;
    return found !== undefined && Array.from(found as ArrayLike<number>).every((size) => size === units);
  });
  const fits = (vector: Constant | undefined) => vector === undefined || vector.data.length === 3 * units;
  if (!W || !U || !even || U.shape[0] !== 3 * units || W.shape[0] !== 3 * units) return undefined;
  if (!fits(bias) || !fits(inner) || (sum && !bias) || (step.plan.biased && !inner)) return undefined;
  if (one?.data.length !== 1 || one.data[0] !== 1) return undefined;
  const lead = (tensor: Constant, role: string) =>
    products.add(`${name}/${role}`, { ...tensor, shape: [1, ...tensor.shape] });
  const B = new Float32Array(6 * units);
  if (bias) B.set(bias.data as Float32Array);
  if (inner) B.set(inner.data as Float32Array, 3 * units);
  const vectors = bias || inner ? lead(constant('float', [6 * units], B), 'B') : '';
  const [last = '', steps = ''] = node.output;
  const axes = (at: number) => [{ name: 'axes', type: 7, ints: [at] }];
  return [
    makeNode('Unsqueeze', `${name}/h0`, [node.input[0]!], [`${name}/h0`], axes(0)),
    makeNode(
      'GRU',
      name,
      [product.x, lead(W, 'W'), lead(U, 'R'), vectors, '', `${name}/h0`],
      [`${name}/all`, `${name}/last`],
      [
        { name: 'linear_before_reset', type: 2, i: step.plan.resetAfter ? 1 : 0 },
        ...(directions[0] === 1 ? [{ name: 'direction', type: 3, s: new TextEncoder().encode('reverse') }] : []),
      ],
    ),
    makeNode('Squeeze', `${name}/steps`, [`${name}/all`], [steps], axes(1)),
    makeNode('Squeeze', `${name}/hn`, [`${name}/last`], [last], axes(0)),
  ];
}

/** Matrices of the same columns as one. */
function joined(parts: readonly (Constant | undefined)[]): Constant | undefined {
  const known = parts.filter((part) => part !== undefined);
  if (known.length !== parts.length || known.some(({ shape }) => shape[1] !== known[0]!.shape[1])) return undefined;
  const together = (arrays: readonly ArrayLike<number>[]) =>
    Float32Array.from(arrays.flatMap((array) => Array.from(array)));
  const coding = joinCodings(
    known.map((part) => part.coding),
    together,
  );
  const shape = [known.reduce((rows, part) => rows + part.shape[0]!, 0), known[0]!.shape[1]!];
  return {
    ...constant('float', shape, together(known.map(({ data }) => data as ArrayLike<number>))),
    ...(coding ? { coding } : {}),
  };
}
