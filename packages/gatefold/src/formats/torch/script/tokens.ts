/** A token of a line: a name, a number, a text, or a sign. */
export interface Token {
  readonly kind: 'name' | 'number' | 'text' | 'sign';
  readonly text: string;
}

const pattern =
  /\s*(?:(?<number>-?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)(?![\w.]))|(?<name>[A-Za-z_]\w*)|(?<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?<sign>->|[()[\]{},.:=*-]))/y;

/** The tokens of a line; undefined where it holds anything else. */
export function tokensOf(line: string): Token[] | undefined {
  const out: Token[] = [];
  pattern.lastIndex = 0;
  const end = line.trimEnd().length;
  while (pattern.lastIndex < end) {
    const groups = pattern.exec(line)?.groups;
    if (!groups) return undefined;
    const kind = (['number', 'name', 'text', 'sign'] as const).find((each) => groups[each] !== undefined)!;
    const text = groups[kind]!;
    out.push({ kind, text: kind === 'text' ? text.slice(1, -1).replaceAll(/\\(.)/g, '$1') : text });
  }
  return out;
}
