import { existsSync } from 'node:fs';

/** Without their folder the corpus tests must fail, not vanish. */
export default function requireCorpus(): void {
  const corpus = process.env.GATEFOLD_CORPUS;
  if (corpus && existsSync(corpus)) return;
  const found = corpus ? `'${corpus}', which does not exist` : 'nothing';
  throw new Error(`GATEFOLD_CORPUS must name the folder of models and data that these tests read; found ${found}.`);
}
