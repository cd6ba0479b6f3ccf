/** A node of a graph, by the names of its tensors. */
export interface StepNode {
  readonly opType: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly attributes?: Readonly<Record<string, number>>;
}

/** Names of what a step reads. A matrix is its codes, scales and zero point. */
export interface StepTensors {
  /** W·x + b, gate by gate: [batch, 3·units]. */
  readonly x: string;
  readonly h: string;
  readonly sizes: string;
  readonly one: string;
  readonly matrices: readonly (readonly [codes: string, scales: string, zero: string])[];
  /** Of U·h; only where reset comes after it. */
  readonly bias?: string | undefined;
  /** Reset before the product: the sizes of the first two gates. */
  readonly twoSizes?: string | undefined;
}

/** ONNX' number of float32. */
const float = 1;

/**
 * A GRU's step with U·h in integers, as the body of a Scan: there is no fused operator for it. One matrix where reset comes
 * after the product, else two: of update and reset, and of the candidate. The writer makes it, and the reader knows it by
 * comparing with it, node by node.
 */
export function gruStep(t: StepTensors): { nodes: StepNode[]; next: string } {
  const nodes: StepNode[] = [];
  const add = (opType: string, input: string[], output: string[], attributes?: StepNode['attributes']) => {
    nodes.push({ opType, input, output, ...(attributes ? { attributes } : {}) });
    return output[0]!;
  };
  const product = (from: string, which: number, name: string) => {
    const [codes, scales, zero] = t.matrices[which]!;
    add('DynamicQuantizeLinear', [from], [`${name} operand`, `${name} scale`, `${name} zero`]);
    add('MatMulInteger', [`${name} operand`, codes, `${name} zero`, zero], [`${name} sums`]);
    add('Cast', [`${name} sums`], [`${name} float`], { to: float });
    add('Mul', [`${name} scale`, scales], [`${name} scales`]);
    return add('Mul', [`${name} float`, `${name} scales`], [name]);
  };
  add('Split', [t.x, t.sizes], ['x z', 'x r', 'x n'], { axis: -1 });
  const gate = (name: string) =>
    add('Sigmoid', [add('Add', [`x ${name}`, `h ${name}`], [`sum ${name}`])], [`gate ${name}`]);
  let inner: string;
  if (t.matrices.length === 1) {
    const whole = product(t.h, 0, 'h all');
    const biased = t.bias === undefined ? whole : add('Add', [whole, t.bias], ['h biased']);
    add('Split', [biased, t.sizes], ['h z', 'h r', 'h n'], { axis: -1 });
    gate('z');
    inner = add('Mul', [gate('r'), 'h n'], ['reset']);
  } else {
    add('Split', [product(t.h, 0, 'h all'), t.twoSizes ?? ''], ['h z', 'h r'], { axis: -1 });
    gate('z');
    inner = product(add('Mul', [gate('r'), t.h], ['reset']), 1, 'h n');
  }
  add('Tanh', [add('Add', ['x n', inner], ['sum n'])], ['candidate']);
  const fresh = add('Mul', [add('Sub', [t.one, 'gate z'], ['rest']), 'candidate'], ['fresh']);
  return { nodes, next: add('Add', [add('Mul', ['gate z', t.h], ['kept']), fresh], ['next']) };
}
