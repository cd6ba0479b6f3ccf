import { type Token, tokensOf } from './tokens.ts';

/** An expression of TorchScript's serialized code. */
export type Expression =
  | { readonly kind: 'constant'; readonly value: number | string | boolean | null }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'attribute'; readonly of: Expression; readonly name: string }
  | { readonly kind: 'index'; readonly of: Expression; readonly index: Expression }
  | { readonly kind: 'list' | 'tuple'; readonly items: readonly Expression[] }
  | {
      readonly kind: 'call';
      readonly of: Expression;
      readonly given: readonly Expression[];
      readonly named: ReadonlyMap<string, Expression>;
    };

export type Statement =
  | {
      readonly kind: 'assign';
      readonly targets: readonly string[];
      readonly isTuple: boolean;
      readonly value: Expression;
    }
  | { readonly kind: 'return'; readonly value: Expression }
  | { readonly kind: 'do'; readonly value: Expression }
  | { readonly kind: 'if'; readonly test: Expression; readonly yes: Body; readonly no: Body }
  /** A line that is not understood, or stands for control flow that is not followed. */
  | { readonly kind: 'other'; readonly text: string };
export type Body = readonly Statement[];

export interface Code {
  readonly parameters: readonly { readonly name: string; readonly otherwise?: Expression }[];
  readonly body: Body;
}

/** A file of code: its functions, and classes with their methods and constants. */
export interface CodeFile {
  readonly functions: ReadonlyMap<string, Code>;
  readonly classes: ReadonlyMap<
    string,
    { readonly methods: ReadonlyMap<string, Code>; readonly constants: ReadonlyMap<string, Expression> }
  >;
}

interface Line {
  readonly depth: number;
  readonly text: string;
}

const deepest = 60;
const mostLines = 200_000;

/** Reads a file of `code/` in a TorchScript archive. What is not understood stands as such in the bodies. */
export function parseCode(text: string): CodeFile {
  const lines = joined(text.split('\n').slice(0, mostLines));
  const functions = new Map<string, Code>();
  const classes = new Map<string, { methods: Map<string, Code>; constants: Map<string, Expression> }>();
  let at = 0;
  while (at < lines.length) {
    const line = lines[at++]!;
    const name = /^class (\w+)\(/.exec(line.text)?.[1];
    if (name !== undefined) {
      const own = { methods: new Map<string, Code>(), constants: new Map<string, Expression>() };
      classes.set(name, own);
      while (at < lines.length && lines[at]!.depth > line.depth) {
        const inner = lines[at++]!;
        if (inner.text.startsWith('def ')) at = addCode(own.methods, inner, lines, at);
        const constant = /^(\w+) : Final\[.*?\] = (.*)$/.exec(inner.text);
        const value = constant && expressionOf(constant[2]!);
        if (constant && value) own.constants.set(constant[1]!, value);
      }
    } else if (line.text.startsWith('def ')) at = addCode(functions, line, lines, at);
  }
  return { functions, classes };
}

/** Lines with what brackets continue, and their depth of indentation. */
function joined(lines: readonly string[]): Line[] {
  const out: Line[] = [];
  let open = 0;
  for (const line of lines) {
    const text = line.trim();
    if (text === '') continue;
    if (open > 0) out[out.length - 1] = { ...out.at(-1)!, text: `${out.at(-1)!.text} ${text}` };
    else out.push({ depth: line.length - line.trimStart().length, text });
    for (const sign of text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '')) {
      if ('([{'.includes(sign)) open++;
      else if (')]}'.includes(sign)) open--;
    }
  }
  return out;
}

function addCode(into: Map<string, Code>, head: Line, lines: readonly Line[], from: number): number {
  const [, name = '', written = ''] = /^def (\w+)\((.*)\) -> /.exec(head.text) ?? [];
  const parameters = splitTop(written).map((parameter) => {
    const [label = '', otherwise] = parameter.split('=').map((part) => part.trim());
    const value = otherwise === undefined ? undefined : expressionOf(otherwise);
    return { name: label.split(':')[0]!.trim(), ...(value ? { otherwise: value } : {}) };
  });
  const { body, at } = bodyOf(lines, from, head.depth, 0);
  into.set(name, { parameters, body });
  return at;
}

/** Parts between commas that no bracket encloses. */
function splitTop(text: string): string[] {
  const out: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i <= text.length; i++) {
    if ('([{'.includes(text[i] ?? ' ')) depth++;
    else if (')]}'.includes(text[i] ?? ' ')) depth--;
    if (i < text.length && !(text[i] === ',' && depth === 0)) continue;
    if (text.slice(start, i).trim() !== '') out.push(text.slice(start, i).trim());
    start = i + 1;
  }
  return out;
}

function bodyOf(lines: readonly Line[], from: number, depth: number, level: number): { body: Statement[]; at: number } {
  const body: Statement[] = [];
  let at = from;
  while (at < lines.length && lines[at]!.depth > depth) {
    const line = lines[at++]!;
    const isBlock = line.text.endsWith(':');
    if (!isBlock || level > deepest) {
      body.push(statementOf(line.text));
      continue;
    }
    const inner = bodyOf(lines, at, line.depth, level + 1);
    at = inner.at;
    const test = /^if (.*):$/.exec(line.text)?.[1];
    const condition = test === undefined ? undefined : expressionOf(test);
    let no: Statement[] = [];
    if (condition && lines[at]?.depth === line.depth && lines[at]!.text === 'else:') {
      const other = bodyOf(lines, at + 1, line.depth, level + 1);
      no = other.body;
      at = other.at;
    }
    body.push(
      condition
        ? { kind: 'if', test: condition, yes: inner.body, no }
        : { kind: 'other', text: line.text.slice(0, 80) },
    );
  }
  return { body, at };
}

function statementOf(text: string): Statement {
  const other: Statement = { kind: 'other', text: text.slice(0, 80) };
  if (text === 'pass') return { kind: 'do', value: { kind: 'constant', value: null } };
  const returned = /^return (.*)$/.exec(text)?.[1];
  const assigned = returned === undefined ? /^((?:\w+, )*\w+,?) = (.*)$/.exec(text) : undefined;
  const value = expressionOf(returned ?? assigned?.[2] ?? text);
  if (!value) return other;
  if (returned !== undefined) return { kind: 'return', value };
  if (!assigned) return { kind: 'do', value };
  const targets = assigned[1]!.split(',').flatMap((name) => name.trim() || []);
  return { kind: 'assign', targets, isTuple: assigned[1]!.includes(','), value };
}

/** An expression; undefined where it is not understood. */
function expressionOf(text: string): Expression | undefined {
  const tokens = tokensOf(text);
  if (!tokens || tokens.length === 0) return undefined;
  const reader = new Reader(tokens);
  const found = reader.list(undefined, 0);
  if (!found || !reader.isDone) return undefined;
  return found.items.length === 1 && !found.trailing ? found.items[0] : { kind: 'tuple', items: found.items };
}

const words: Readonly<Record<string, boolean | null>> = { True: true, False: false, None: null };

class Reader {
  private readonly tokens: readonly Token[];
  private at = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  get isDone(): boolean {
    return this.at === this.tokens.length;
  }

  private sign(text: string): boolean {
    const token = this.tokens[this.at];
    if (token?.kind !== 'sign' || token.text !== text) return false;
    this.at++;
    return true;
  }

  /** Expressions between commas up to a closing sign, or to the end. */
  list(
    close: string | undefined,
    depth: number,
    named?: Map<string, Expression>,
  ): { items: Expression[]; trailing: boolean } | undefined {
    const items: Expression[] = [];
    let trailing = false;
    for (;;) {
      if (close === undefined ? this.isDone : this.sign(close)) return { items, trailing };
      const [label, equals] = this.tokens.slice(this.at, this.at + 2);
      const isNamed = named && label?.kind === 'name' && equals?.text === '=' && equals.kind === 'sign';
      if (isNamed) this.at += 2;
      const value = this.expression(depth + 1);
      if (!value) return undefined;
      if (isNamed) named.set(label.text, value);
      else items.push(value);
      trailing = this.sign(',');
      if (!trailing && !(close === undefined ? this.isDone : this.tokens[this.at]?.text === close)) return undefined;
    }
  }

  private expression(depth: number): Expression | undefined {
    if (depth > deepest) return undefined;
    let value = this.atom(depth);
    while (value) {
      if (this.sign('.')) {
        const name = this.tokens[this.at++];
        value = name?.kind === 'name' ? { kind: 'attribute', of: value, name: name.text } : undefined;
      } else if (this.sign('(')) {
        const named = new Map<string, Expression>();
        const given = this.list(')', depth, named);
        value = given && { kind: 'call', of: value, given: given.items, named };
      } else if (this.sign('[')) {
        const inner = this.list(']', depth);
        const index: Expression | undefined =
          inner && (inner.items.length === 1 ? inner.items[0] : { kind: 'tuple', items: inner.items });
        value = index && { kind: 'index', of: value, index };
      } else break;
    }
    return value;
  }

  private atom(depth: number): Expression | undefined {
    const token = this.tokens[this.at++];
    if (!token) return undefined;
    if (token.kind === 'number') return { kind: 'constant', value: Number(token.text) };
    if (token.kind === 'text') return { kind: 'constant', value: token.text };
    if (token.kind === 'name') {
      return Object.hasOwn(words, token.text)
        ? { kind: 'constant', value: words[token.text]! }
        : { kind: 'name', name: token.text };
    }
    if (token.text === '[') {
      const inner = this.list(']', depth);
      return inner && { kind: 'list', items: inner.items };
    }
    if (token.text === '(') {
      const inner = this.list(')', depth);
      return (
        inner && (inner.items.length === 1 && !inner.trailing ? inner.items[0] : { kind: 'tuple', items: inner.items })
      );
    }
    return undefined;
  }
}
