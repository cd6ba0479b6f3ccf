import type { Message } from './proto/schema.ts';

/** Texts that begin so are JSON in files of ours. */
export const looksLikeJson = (text: string): boolean => /^[[{"\d-]|^(true|false|null)$/.test(text);

/** Properties of a file; those of ours that are JSON as what they mean. */
export function metadataOf({ metadataProps, producerName }: Message<'Model'>): Record<string, unknown> {
  const own = producerName === 'gatefold';
  return Object.fromEntries(
    metadataProps.map(({ key = '', value = '' }) => [key, own && looksLikeJson(value) ? parsed(value) : value]),
  );
}

/** What is no JSON after all is a text of somebody else's. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
