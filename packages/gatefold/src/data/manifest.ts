import { fail, utf8Decode } from '@gatefold/runtime';
import { parse } from 'csv-parse/browser/esm/sync';

/** A recording that a table names, and its class or what is said in it. */
export interface ManifestEntry {
  readonly path: string;
  readonly label?: string;
  readonly labels?: readonly string[];
}

type Row = Readonly<Record<string, unknown>>;

/**
 * Recordings named by a table, or undefined where the bytes are no such table: CSV with the columns path and label or text,
 * JSON lines with path and label, labels or text. A text's labels are its characters.
 * @throws DATA_INVALID naming the line
 */
export function readManifest(name: string, bytes: Uint8Array): ManifestEntry[] | undefined {
  const text = utf8Decode(bytes)?.replace(/^\ufeff/, '');
  const first = text?.slice(0, 65536).trimStart().split('\n', 1)[0]?.trim() ?? '';
  const isTable = /^"?path"?,"?(label|text)"?$/i.test(first);
  if (text === undefined || !(isTable || /^\{.*"path"\s*:\s*"/.test(first))) return undefined;
  const rows = isTable ? tableRows(name, text) : lineRows(name, text);
  return rows.map(([row, line]) => entryOf(row, `${name}: line ${line}`));
}

function tableRows(name: string, text: string): [Row, number][] {
  try {
    const options = { columns: lowerCased, skip_empty_lines: true, info: true } as const;
    const found = parse(text, options) as unknown as { record: Row; info: { lines: number } }[];
    return found.map(({ record, info }) => [record, info.lines]);
  } catch (error) {
    return fail('DATA_INVALID', 'the table of recordings cannot be read', {
      place: name,
      found: (error as Error).message,
    });
  }
}

const lowerCased = (names: readonly string[]) => names.map((name) => name.toLowerCase());

function lineRows(name: string, text: string): [Row, number][] {
  return text.split('\n').flatMap((line, i): [Row, number][] => {
    if (line.trim() === '') return [];
    const place = `${name}: line ${i + 1}`;
    let row: unknown;
    try {
      row = JSON.parse(line);
    } catch (error) {
      fail('DATA_INVALID', 'a line is not JSON', { place, found: (error as Error).message });
    }
    if (typeof row !== 'object' || row === null) fail('DATA_INVALID', 'a line is no object', { place });
    return [[row as Row, i + 1]];
  });
}

function entryOf({ path, label, labels, text }: Row, place: string): ManifestEntry {
  if (typeof path !== 'string' || path === '') fail('DATA_INVALID', 'a recording has no path', { place });
  const said = typeof text === 'string' ? [...text] : labels;
  const isList = Array.isArray(said) && said.every((item) => typeof item === 'string');
  if (said === undefined ? typeof label !== 'string' : !isList) {
    fail('DATA_INVALID', 'what is said in a recording is not told', {
      place,
      expected: 'a text, a list of labels, or a label',
    });
  }
  return { path, ...(said === undefined ? { label: label as string } : { labels: said as string[] }) };
}
