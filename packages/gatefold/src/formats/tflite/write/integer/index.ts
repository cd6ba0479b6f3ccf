import type { Port, TfliteBuilder, WrittenOperator } from '../file.ts';
import { type Coding, cellCoding, fixedCodings, sameCoding } from './coding.ts';
import { integerRules, type Rule } from './rules.ts';
import { IntegerTensors } from './tensors.ts';

/** The LSTM kernel's tanh takes at most 6 bits before the point. */
const mostCell = 64;

/** What is asked of the integers of a file. */
interface IntegerOptions {
  readonly bits: 8 | 16;
  /** Whether its inputs and outputs are integers too; else they are float32, coded and decoded inside. */
  readonly ports: boolean;
}

/**
 * The same file with integer activations: every tensor of numbers that is not constant becomes an integer of `bits` (or of 16 where it is
 * wide) in the finest coding of its range, constants become what the kernels want beside them, weights stay the 8-bit codes that
 * they are. Where two operators code a tensor differently, QUANTIZE stands between.
 * @throws MODEL_UNSUPPORTED naming an operator without integer kernel, a tensor without range, a weight without codes
 */
export function withIntegers(
  source: TfliteBuilder,
  { inputs, outputs }: { readonly inputs: readonly Port[]; readonly outputs: readonly Port[] },
  { bits, ports }: IntegerOptions,
): { builder: TfliteBuilder; inputs: Port[]; outputs: Port[] } {
  const tensors = new IntegerTensors(source, bits === 8 ? 'INT8' : 'INT16');
  const operators = new IntegerOperators(tensors);
  const madeInputs = inputs.map(({ name, tensor }) => ({ name, tensor: tensors.input(tensor, ports) }));
  for (const operator of source.operators) operators.add(operator);
  const madeOutputs = outputs.map(({ name, tensor }) => ({ name, tensor: tensors.output(tensor, ports) }));
  return { builder: tensors.builder, inputs: madeInputs, outputs: madeOutputs };
}

/** Adds operators with integers in place of their floats. */
class IntegerOperators {
  private readonly tensors: IntegerTensors;

  constructor(tensors: IntegerTensors) {
    this.tensors = tensors;
  }

  add(operator: WrittenOperator): void {
    const { name, inputs, outputs } = operator;
    const [first = -1] = inputs;
    const [y = -1] = outputs;
    const rule =
      integerRules[name] ??
      this.tensors.refuse(`there is no integer kernel for ${name}`, this.tensors.tensorOf(y).name);
    switch (rule.kind) {
      case 'same': {
        const { coding } = this.tensors.made.get(first)!;
        const x = coding && this.tensors.operand(first, this.tensors.tensorOf(y).wide ? 'INT16' : coding.type);
        // Indices are integers as they are.
        for (const output of outputs) x ? this.tensors.define(output, x.coding) : this.tensors.kept(output);
        this.emit(operator, rule, [
          x?.tensor ?? this.tensors.kept(first),
          ...inputs.slice(1).map((input) => this.tensors.kept(input)),
        ]);
        break;
      }
      case 'product':
        this.product(operator, rule);
        break;
      case 'lookup':
        this.lookup(operator, rule);
        break;
      case 'decode': {
        const coded = this.tensors.made.get(first);
        // Looked-up codes are activations as they are.
        if (coded) this.tensors.made.set(y, coded);
        else this.tensors.widen(first, y);
        break;
      }
      case 'lstm':
        this.lstm(operator, rule);
        break;
      default: {
        const type = this.tensors.typeOf(this.tensors.tensorOf(y));
        const coding =
          (rule.kind === 'fixed' && fixedCodings[name]![type]) ||
          (rule.kind === 'alike' && this.shared(inputs, type)) ||
          this.tensors.finest(y);
        const xs = inputs.map((input) =>
          this.tensors.tensorOf(input).type === 'FLOAT32'
            ? this.tensors.operand(input, rule.kind === 'alike' ? coding : type).tensor
            : this.tensors.kept(input),
        );
        this.tensors.define(y, coding);
        this.emit(operator, rule, xs);
      }
    }
  }

  /** The coding that all inputs have already. */
  private shared(inputs: readonly number[], type: Coding['type']): Coding | undefined {
    const [first, ...rest] = inputs.map((input) => this.tensors.made.get(input)?.coding);
    return first?.type === type && rest.every((other) => other && sameCoding(first, other)) ? first : undefined;
  }

  private emit(
    { name, outputs, options }: WrittenOperator,
    { versions, options: more }: Rule,
    inputs: readonly number[],
    intermediates?: number[],
  ): void {
    const made = outputs.map((output) => this.tensors.made.get(output)!);
    const isWide = made.some(({ coding }) => coding?.type === 'INT16');
    const ids = made.map(({ tensor }) => tensor);
    const version = versions[isWide ? 1 : 0];
    this.tensors.builder.operator(name, inputs, ids, { ...options, ...more }, version, intermediates);
  }

  /** Rows of an 8-bit table stay codes in the table's scale. */
  private lookup(operator: WrittenOperator, rule: Rule): void {
    const [table = -1, ids = -1] = operator.inputs;
    const { type, scales, name } = this.tensors.tensorOf(table);
    if (type !== 'INT8') this.tensors.refuse('a table without codes', name, 'quantize it too');
    const scale = scales![0]!;
    const range = { low: -128 * scale, high: 127 * scale };
    this.tensors.define(operator.outputs[0]!, { type: 'INT8', scale, zero: 0, range });
    this.emit(operator, rule, [this.tensors.kept(table), this.tensors.kept(ids)]);
  }

  private product(operator: WrittenOperator, rule: Rule): void {
    const [x = -1, weights = -1, bias = -1] = operator.inputs;
    const [y = -1] = operator.outputs;
    const type = this.tensors.typeOf(this.tensors.tensorOf(y));
    const input = this.tensors.operand(x, type);
    const kernel = this.tensors.codes(weights);
    const shift = bias === -1 ? -1 : this.tensors.bias(bias, kernel.scales!, input.coding);
    this.tensors.define(y, this.tensors.finest(y));
    this.emit(operator, rule, [input.tensor, this.tensors.kept(weights), shift]);
  }

  /**
   * UNIDIRECTIONAL_SEQUENCE_LSTM as its integer kernel wants it: h and x in 8 bits, c in 16 with a power of two as scale, peepholes in
   * 16, biases in the scale of x and W; before a projection the output has a coding of its own.
   */
  private lstm(operator: WrittenOperator, rule: Rule): void {
    const { inputs, outputs, options } = operator;
    const [y = -1] = outputs;
    const { name } = this.tensors.tensorOf(y);
    if (options.activation !== 4) this.tensors.refuse('its LSTM knows no other activation than tanh', name);
    const x = this.tensors.operand(inputs[0]!, 'INT8');
    const output = this.tensors.finest(y);
    const c = cellCoding(this.tensors.tensorOf(inputs[19]!).range!);
    if (c.scale * 2 ** 15 > mostCell) {
      this.tensors.refuse(`the cell state exceeds ±${mostCell}`, name, 'quantize with --operand u14, or --operand f32');
    }
    const made = inputs.map((input, i) => {
      if (input === -1) return -1;
      if (i === 0) return x.tensor;
      if (i >= 9 && i <= 11) return this.tensors.peephole(input);
      if (i >= 12 && i <= 15) {
        const gate = inputs[i - 11]!;
        return this.tensors.bias(input, this.tensors.codes(gate === -1 ? inputs[2]! : gate).scales!, x.coding);
      }
      if (i === 18) return this.tensors.define(input, output);
      if (i === 19) return this.tensors.define(input, c);
      this.tensors.codes(input);
      return this.tensors.kept(input);
    });
    this.tensors.define(y, output);
    const [hidden = -1] = operator.intermediates ?? [];
    const coding = inputs[16] === -1 ? output : this.tensors.finest(hidden);
    const unused = Array.from({ length: 4 }, (_, i) =>
      this.tensors.builder.tensor({ name: `${name}/intermediate ${i}`, shape: [0], type: 'FLOAT32' }),
    );
    this.emit(operator, rule, made, [...unused, this.tensors.define(hidden, coding)]);
  }
}
