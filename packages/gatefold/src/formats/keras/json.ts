import { fail } from '@gatefold/runtime';

/** Short text of a value for messages. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

/** Deeper nesting than this is no configuration, and would exhaust the stack of what walks it. */
const maxDepth = 256;

/**
 * Parses the JSON of a file, also with the NaN and Infinity that Python writes: they become null.
 * @throws FILE_CORRUPT naming `place`
 */
export function parseJson(text: string, place: string): unknown {
  const plain = withoutTexts(text);
  let depth = 0;
  for (const character of plain) {
    if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') depth--;
    if (depth > maxDepth)
      fail('FILE_CORRUPT', 'JSON is nested too deeply', { place, expected: `at most ${maxDepth} levels` });
  }
  try {
    return JSON.parse(/NaN|Infinity/.test(plain) ? withoutInfinities(text) : text);
  } catch (error) {
    return fail('FILE_CORRUPT', 'the configuration is not JSON', {
      place,
      found: `${(error as Error).message.slice(0, 80)}: ${text.slice(0, 40)}`,
    });
  }
}

function withoutTexts(text: string): string {
  return outsideTexts(
    text,
    (part) => part,
    () => '""',
  );
}

function withoutInfinities(text: string): string {
  return outsideTexts(
    text,
    (part) => part.replace(/-?Infinity|NaN/g, 'null'),
    (part) => part,
  );
}

/** Maps what stands outside and inside of quotes. */
function outsideTexts(text: string, outside: (part: string) => string, inside: (part: string) => string): string {
  let out = '';
  let at = 0;
  while (at < text.length) {
    const open = text.indexOf('"', at);
    if (open < 0) return out + outside(text.slice(at));
    let close = text.indexOf('"', open + 1);
    while (close > 0 && isEscaped(text, close)) close = text.indexOf('"', close + 1);
    const end = close < 0 ? text.length : close + 1;
    out += outside(text.slice(at, open)) + inside(text.slice(open, end));
    at = end;
  }
  return out;
}

function isEscaped(text: string, at: number): boolean {
  let slashes = 0;
  while (text[at - 1 - slashes] === '\\') slashes++;
  return slashes % 2 === 1;
}
