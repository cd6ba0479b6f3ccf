import type { ArchitectureLayer } from '../../state-dict/index.ts';
import { type Arguments, addRecurrent, cellStates, functions, isZero, questions } from './functions/index.ts';
import type { Body, Code, Expression } from './parse.ts';
import { isKind, itemsOf, type LayerValue, type ModuleValue, stop, type Value } from './values.ts';

/** What the archive tells of a module. */
export interface ScriptModule {
  /** Its class as PyTorch names it: "torch.nn.modules.rnn.LSTM". */
  readonly className: string;
  readonly methods: ReadonlyMap<string, Code>;
  /** Options that stand in the code of scripted modules; those that were traced have none. */
  readonly constants: ReadonlyMap<string, Expression>;
  /** Names of the module's own tensors, those of its children, and what else it keeps. */
  attribute(name: string): Value | undefined;
}

export interface Archive {
  module(path: string): ScriptModule | undefined;
  /** A function of the archive's code by its whole name. */
  function(path: string): Code | undefined;
}

const mostSteps = 50_000;
const deepest = 40;
const mostLayers = 2_000;

/** Follows forward() of the outermost module, statement by statement, and writes down the layers that it calls. */
export class Interpreter {
  readonly layers: ArchitectureLayer[] = [];
  private readonly archive: Archive;
  private readonly names = new Set<string>(['input']);
  private steps = 0;

  constructor(archive: Archive) {
    this.archive = archive;
  }

  /** @throws NotFollowed where something has no meaning here, or is not understood */
  run(input: LayerValue): Value {
    return this.callModule({ kind: 'module', path: '' }, 'forward', [input], new Map(), 0);
  }

  private tick(depth: number): void {
    if (++this.steps > mostSteps || depth > deepest) stop('its code does not end');
  }

  private add(layer: ArchitectureLayer, place: string): string {
    if (this.layers.length >= mostLayers) stop('it has too many layers');
    const wanted = ('weights' in layer && layer.weights !== '' ? layer.weights : place).slice(-150) || layer.type;
    let name = wanted;
    for (let n = 2; this.names.has(name); n++) name = `${wanted}_${n}`;
    this.names.add(name);
    this.layers.push({ ...layer, name } as ArchitectureLayer);
    return name;
  }

  private callModule(
    { path }: ModuleValue,
    method: string,
    given: readonly Value[],
    named: ReadonlyMap<string, Value>,
    depth: number,
  ): Value {
    this.tick(depth);
    const module = this.archive.module(path) ?? stop(`the module "${path}" is not in the code`);
    const known = method.startsWith('forward') ? this.scripted(module, path, given) : undefined;
    if (known !== undefined) return known;
    const code = module.methods.get(method) ?? stop(`"${path}" has no method ${method}`);
    return this.call(code, [{ kind: 'module', path }, ...given], named, depth, path);
  }

  /** Recurrent modules that were scripted say their options, and their code asks for much that is not known here. */
  private scripted({ className, constants }: ScriptModule, path: string, given: readonly Value[]): Value | undefined {
    const cell = /^torch\.nn\.modules\.rnn\.(LSTM|GRU|RNN)$/.exec(className)?.[1];
    const option = (name: string) => {
      const found = constants.get(name);
      return found?.kind === 'constant' ? found.value : undefined;
    };
    const levels = option('num_layers');
    if (cell === undefined || typeof levels !== 'number') return undefined;
    if (!isZero(given[1])) stop(`${path} starts with states of its own`);
    const type = cell.toLowerCase() as 'lstm' | 'gru' | 'rnn';
    const nonlinearity = option('mode') === 'RNN_RELU' ? ('relu' as const) : ('tanh' as const);
    const layer = { type, weights: path, ...(type === 'rnn' ? { nonlinearity } : {}) };
    const { steps, hidden } = addRecurrent(this.arguments(given, new Map(), path), layer, {
      ...{ levels, both: option('bidirectional') === true, batchFirst: option('batch_first') === true },
    });
    const states: Value = type === 'lstm' ? { kind: 'list', items: [hidden, cellStates(path)] } : hidden;
    return { kind: 'list', items: [steps, states] };
  }

  private arguments(given: readonly Value[], named: ReadonlyMap<string, Value>, place: string): Arguments {
    return { given, named, place, add: (layer) => this.add(layer, place) };
  }

  private call(
    code: Code,
    given: readonly Value[],
    named: ReadonlyMap<string, Value>,
    depth: number,
    place: string,
  ): Value {
    const scope = new Map<string, Value>();
    code.parameters.forEach(({ name, otherwise }, i) => {
      const own = given[i] ?? named.get(name);
      scope.set(name, own === undefined && otherwise ? this.value(otherwise, scope, depth, place) : (own ?? null));
    });
    return this.body(code.body, scope, depth, place) ?? null;
  }

  /** What a body returns; undefined where it ends without. */
  private body(body: Body, scope: Map<string, Value>, depth: number, place: string): Value | undefined {
    for (const statement of body) {
      this.tick(depth);
      if (statement.kind === 'other') stop(`${place || 'forward'}: "${statement.text}"`);
      if (statement.kind === 'return') return this.value(statement.value, scope, depth, place);
      if (statement.kind === 'if') {
        const test = this.value(statement.test, scope, depth, place);
        if (typeof test !== 'boolean') stop(`${place || 'forward'} branches by what is not known`);
        const returned = this.body(test ? statement.yes : statement.no, scope, depth + 1, place);
        if (returned !== undefined) return returned;
        continue;
      }
      const value = this.value(statement.value, scope, depth, place);
      if (statement.kind === 'do') continue;
      const [only] = statement.targets;
      if (!statement.isTuple) scope.set(only!, value);
      else {
        const items = itemsOf(value);
        if (!items || items.length !== statement.targets.length)
          stop(`${place || 'forward'} takes apart what is no tuple`);
        statement.targets.forEach((name, i) => {
          scope.set(name, items[i]!);
        });
      }
    }
    return undefined;
  }

  private value(expression: Expression, scope: ReadonlyMap<string, Value>, depth: number, place: string): Value {
    this.tick(depth);
    const inner = (each: Expression) => this.value(each, scope, depth + 1, place);
    switch (expression.kind) {
      case 'constant':
        return expression.value;
      case 'name':
        return (
          scope.get(expression.name) ??
          (scope.has(expression.name) ? null : { kind: 'function', path: expression.name })
        );
      case 'list':
      case 'tuple':
        return { kind: 'list', items: expression.items.map(inner) };
      case 'attribute':
        return this.attribute(inner(expression.of), expression.name);
      case 'index': {
        const [of, index] = [inner(expression.of), inner(expression.index)];
        const at = typeof index === 'number' ? itemsOf(of)?.at(index) : undefined;
        return at ?? { kind: 'unknown', why: `${place || 'forward'} looks up what is not known` };
      }
      case 'call': {
        const named = new Map([...expression.named].map(([name, each]) => [name, inner(each)]));
        return this.apply(expression.of, expression.given.map(inner), named, scope, depth, place);
      }
    }
  }

  private attribute(of: Value, name: string): Value {
    if (isKind(of, 'function')) return { kind: 'function', path: `${of.path}.${name}` };
    if (!isKind(of, 'module')) return { kind: 'unknown', why: `".${name}" of what is not known` };
    const module = this.archive.module(of.path);
    const constant = module?.constants.get(name);
    if (constant) return this.value(constant, new Map(), 0, of.path);
    const found = module?.attribute(name);
    return found === undefined ? { kind: 'unknown', why: `"${of.path}.${name}" is not known` } : found;
  }

  private apply(
    of: Expression,
    given: readonly Value[],
    named: ReadonlyMap<string, Value>,
    scope: ReadonlyMap<string, Value>,
    depth: number,
    place: string,
  ): Value {
    if (of.kind === 'attribute') {
      const object = this.value(of.of, scope, depth + 1, place);
      if (isKind(object, 'module')) {
        return this.callModule(object, of.name, given, named, depth + 1);
      }
    }
    const callee = this.value(of, scope, depth + 1, place);
    const path = isKind(callee, 'function') ? callee.path : undefined;
    if (path === 'getattr') return this.attribute(given[0] ?? null, String(given[1]));
    if (path === 'annotate' || path === 'unchecked_cast') return given.at(-1) ?? null;
    if (path === 'ops.prim.RaiseException') stop(`${place || 'forward'} raises an exception`);
    const own = path === undefined ? undefined : this.archive.function(path);
    if (own) return this.call(own, given, named, depth + 1, path!.split('.').at(-1)!);
    const known = path?.startsWith('torch.') ? functions.get(path.slice('torch.'.length)) : undefined;
    const label = path ?? 'a value';
    if (known) return known(this.arguments(given, named, `${place}${place ? '.' : ''}${label.split('.').at(-1)}`));
    // Who is given a value may change it.
    if (!questions.has(label) && [...given, ...named.values()].some(holdsLayer)) stop(`${label} has no meaning here`);
    return { kind: 'unknown', why: `${label} has no meaning here` };
  }
}

function holdsLayer(value: Value): boolean {
  return itemsOf(value)?.some(holdsLayer) ?? (isKind(value, 'value') || isKind(value, 'state'));
}
