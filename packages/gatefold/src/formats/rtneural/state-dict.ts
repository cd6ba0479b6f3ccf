import { fail } from '@gatefold/runtime';
import { gateRows, type PlainArray, torchGates } from '../gates.ts';
import type { GraphBuilder } from '../graph-builder.ts';
import type { Json } from '../keras/config.ts';
import { show } from '../keras/json.ts';
import { arrayOf, claimedShape } from './arrays.ts';
import { addSkip, inputPort } from './chain.ts';

/** Parameters of a module by their names in it. */
type Module = ReadonlyMap<string, unknown>;

/** Modules in the order of the file: `lstm.weight_ih_l0` is `weight_ih_l0` of `lstm`. */
function modulesOf(state: Json): Map<string, Map<string, unknown>> {
  const modules = new Map<string, Map<string, unknown>>();
  for (const [key, value] of Object.entries(state)) {
    const dot = key.lastIndexOf('.');
    if (dot < 0) fail('FILE_CORRUPT', 'a parameter belongs to no module', { place: key.slice(0, 120) });
    const module = modules.get(key.slice(0, dot)) ?? new Map<string, unknown>();
    modules.set(key.slice(0, dot), module.set(key.slice(dot + 1), value));
  }
  return modules;
}

/**
 * Adds the modules of a PyTorch state dict, written as JSON, one after the other: nn.LSTM, nn.GRU and nn.Linear, told by
 * their names and shapes.
 */
export function readStateDict(builder: GraphBuilder, state: Json): string {
  const modules = [...modulesOf(state)];
  const [first] = modules;
  if (!first) return fail('FILE_CORRUPT', 'the file has no parameters', { place: 'state_dict' });
  const shape = claimedShape(first[1].get('weight_ih_l0') ?? first[1].get('weight'));
  const width = shape[1] ?? fail('FILE_CORRUPT', 'the first module has no matrix', { place: first[0] });
  builder.addInput(inputPort(width));
  return modules.reduce((x, [name, module]) => readModule(builder, name, module, x), 'x');
}

function readModule(builder: GraphBuilder, name: string, module: Module, x: string): string {
  const read = module.has('weight_ih_l0') ? stack : linear;
  const used = new Set<string>();
  const y = read(builder, name, x, (key) => {
    used.add(key);
    return module.get(key);
  });
  const idle = [...module.keys()].find((key) => !used.has(key));
  if (idle !== undefined) fail('FILE_UNUSED', 'a parameter that no module uses', { place: `${name}.${idle}` });
  return y;
}

function linear(builder: GraphBuilder, name: string, x: string, take: (key: string) => unknown): string {
  const kernel = arrayOf(take('weight'), [-1, builder.type(x).shape[0]!], `${name}.weight`);
  const bias = take('bias');
  const weights = {
    kernel: builder.weight(`${name}/kernel`, () => kernel),
    ...(bias === undefined
      ? {}
      : { bias: builder.weight(`${name}/bias`, () => arrayOf(bias, [kernel.shape[0]!], `${name}.bias`)) }),
  };
  return builder.add('dense', name, { x }, {}, weights).y!;
}

/** The layers of one nn.LSTM or nn.GRU. */
function stack(builder: GraphBuilder, name: string, x: string, take: (key: string) => unknown): string {
  let y = x;
  for (let i = 0; i === 0 || claimedShape(take(`weight_ih_l${i}`)).length > 0; i++) {
    y = layerOf(builder, name, y, i, take);
  }
  return y;
}

function layerOf(builder: GraphBuilder, module: string, x: string, i: number, take: (key: string) => unknown): string {
  const name = `${module}/${i}`;
  const at = (role: string) => `${role}_l${i}`;
  const place = (role: string) => `${module}.${at(role)}`;
  const features = builder.type(x).shape[0]!;
  const recurrent = arrayOf(take(at('weight_hh')), [-1, -1], place('weight_hh'));
  const [rows, units] = recurrent.shape as [number, number];
  const cell = rows === 4 * units ? 'lstm' : rows === 3 * units ? 'gru' : undefined;
  if (!cell) {
    return fail('MODEL_UNSUPPORTED', `module "${module}" is neither nn.LSTM nor nn.GRU`, {
      place: place('weight_hh'),
      expected: '4 or 3 times as many rows as columns',
      found: show(recurrent.shape),
    });
  }
  const order = torchGates[cell];
  const inputs = arrayOf(take(at('weight_ih')), [rows, features], place('weight_ih'));
  const [first, second] = ['bias_ih', 'bias_hh'].map((role) => {
    const value = take(at(role));
    return value === undefined ? undefined : arrayOf(value, [rows], place(role));
  });
  if ((first === undefined) !== (second === undefined))
    fail('FILE_CORRUPT', 'one of two biases is missing', { place: place('bias_ih') });
  const add = (role: string, array: PlainArray) => ({
    [role]: builder.weight(`${name}/${role}`, () => gateRows(array, order, units)),
  });
  const biases =
    !first || !second
      ? {}
      : cell === 'gru'
        ? { ...add('b', first), ...add('bR', second) }
        : add('b', { shape: [rows], data: first.data.map((value, k) => value + second.data[k]!) });
  const weights = { ...add('W', inputs), ...add('U', recurrent), ...biases };
  const attributes = {
    cell,
    units,
    activation: ['tanh'],
    recurrentActivation: ['sigmoid'],
    ...(cell === 'gru' ? { resetAfter: true } : {}),
  };
  return builder.add('recurrent', name, { x }, attributes, weights).y!;
}

/**
 * Adds a model of GuitarML's Automated-GuitarAmpModelling: `rec`, then `lin`, plus the input where it is skipped.
 * @throws MODEL_UNSUPPORTED, and MODEL_INVALID where the description contradicts the parameters
 */
export function readGuitarMl(builder: GraphBuilder, description: Json, state: Json): string {
  const { model = 'SimpleRNN', unit_type: unit, skip = 0, num_layers: layers = 1 } = description;
  if (model !== 'SimpleRNN')
    fail('MODEL_UNSUPPORTED', `models of type ${show(model)} are not known`, {
      place: 'model_data',
      expected: 'SimpleRNN',
    });
  if (skip !== 0 && skip !== 1)
    fail('MODEL_UNSUPPORTED', `a skip of ${show(skip)} is not known`, { place: 'model_data.skip', expected: '0 | 1' });
  const y = readStateDict(builder, state);
  const cells = builder.nodes.filter(({ op }) => op === 'recurrent');
  const found = {
    unit_type: String(cells[0]?.attributes.cell).toUpperCase(),
    num_layers: cells.length,
    hidden_size: cells[0]?.attributes.units,
    input_size: builder.type('x').shape[0],
    output_size: builder.type(y).shape[0],
  };
  for (const [key, value] of Object.entries({ ...description, unit_type: unit, num_layers: layers })) {
    if (!Object.hasOwn(found, key) || value === undefined) continue;
    const own = found[key as keyof typeof found];
    if (own !== value) {
      fail('MODEL_INVALID', 'the description of the model contradicts its parameters', {
        place: `model_data.${key}`,
        expected: show(value),
        found: show(own),
      });
    }
  }
  return skip === 1 ? addSkip(builder, 'x', y) : y;
}
