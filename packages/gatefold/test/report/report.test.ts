import type { Model } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { quantize } from '../../src/compress/index.ts';
import { compareWeights, costsOf } from '../../src/evaluate/index.ts';
import {
  alignedTable,
  type Candidate,
  type Report,
  ratiosOf,
  reportHtml,
  reportJson,
  reportText,
  showBytes,
  showMetric,
} from '../../src/report/index.ts';

const model = smallModel(3, cellChoices.lstm!, { features: 5, units: 8 });
const evaluation = (accuracy: number) => ({
  task: 'classify' as const,
  engine: 'simd128',
  examples: 400,
  metrics: { accuracy, correct: accuracy * 400, total: 400, loss: 0.25, macroF1: 0.8 },
});

function candidate(name: string, of: Model, more: Partial<Candidate> = {}): Candidate {
  return { name, costs: costsOf(of, (bytes) => bytes.length - 7), ...more };
}

const compressed = (name: string, bits: number): Candidate => {
  const { model: small } = quantize(model, { bits });
  return candidate(name, small, {
    file: `${name}.gatefold`,
    evaluation: evaluation(0.9),
    versusFirst: { agreement: 0.97, maxAbsDifference: 0.0123, meanKl: 0.001 },
    microsecondsPerStep: 2.5,
    drift: [
      { step: 1, difference: 0.001 },
      { step: 10, difference: 0.002 },
    ],
    ...compareWeights(model, small),
  });
};

const first = candidate('original', model, { evaluation: evaluation(0.95), microsecondsPerStep: 10 });
const report = (...others: Candidate[]): Report => ({
  title: 'Three models',
  data: 'made up: 400 examples',
  environment: 'test engine',
  candidates: [first, ...others],
});
const full = report(compressed('eight', 8), compressed('four', 4));
const bare: Report = {
  title: 'Bare',
  environment: 'test engine',
  candidates: [candidate('a', model), candidate('b', model)],
};

describe('text', () => {
  it('mentions every candidate, what was measured, and where', () => {
    const text = reportText(full);
    for (const word of ['Three models', 'made up: 400 examples', 'test engine', 'original', 'eight', 'four'])
      expect(text).toContain(word);
    expect(text).toContain('95.00 %');
    expect(text).toContain('−5.00 pt');
    expect(text).toContain('97.00 %');
    expect(text).toContain('4.00×');
    expect(text).toMatch(/int8\/row u7/);
    expect(text).toContain('estimate');
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('has no columns for what was not measured', () => {
    const text = reportText(bare);
    for (const word of ['accuracy', 'µs/step', 'agrees', 'undefined', 'NaN']) expect(text).not.toContain(word);
  });

  it('aligns', () => {
    expect(
      alignedTable(
        ['a', 'n'],
        [
          ['long', '1'],
          ['b', '100'],
        ],
        ['n'],
      ),
    ).toBe(['a       n', '─────────', 'long    1', 'b     100'].join('\n'));
  });

  it('shows numbers as people read them', () => {
    expect([9999, 10_000, 10_000_000].map(showBytes)).toEqual(['9999 B', '10.0 kB', '10.0 MB']);
    expect(showMetric('accuracy', 0.98765)).toBe('98.77 %');
    expect(showMetric('total', 10_000)).toBe('10,000');
    expect(showMetric('loss', 0.123456)).toBe('0.12346');
    expect(showMetric('rmse', 0.0001234)).toBe('1.23e-4');
  });
});

describe('page', () => {
  it('is the same, byte for byte, whenever it is written', async () => {
    const page = await reportHtml(full);
    expect(await reportHtml(full)).toBe(page);
    const ids = page.match(/ id="[^"]+"/g) ?? [];
    expect(ids.length).toBeGreaterThan(0);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, id] of page.matchAll(/url\(#([^)]+)\)/g)) expect(page).toContain(` id="${id}"`);
    expect(page).not.toMatch(/zr\d/);
  });

  it('needs nothing else and shows charts', async () => {
    const page = await reportHtml(full);
    expect(page).toMatch(/^<!doctype html>/);
    // Sizes, metric, time; errors; drift; three matrices of two candidates.
    expect(page.match(/<svg/g)).toHaveLength(3 + 1 + 1 + 6);
    expect(page).not.toMatch(/\b(src|href)\s*=|<script|<link|@import|url\((?!#)/i);
    expect(page.replaceAll(/xmlns(:\w+)?="http[^"]*"/g, '')).not.toMatch(/https?:/);
    for (const word of ['original', 'eight', 'four', 'made up: 400 examples', 'cell/U', '97.00 %'])
      expect(page).toContain(word);
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('escapes names', async () => {
    const odd = compressed('<b>"bold"</b>&\'', 8);
    const page = await reportHtml({ ...report(odd), title: '<i>title</i>', data: '<u>data</u>', environment: '<s>' });
    expect(page).not.toMatch(/<(b|i|u|s)>/);
    expect(page).toContain('&#60;b&#62;');
    expect(page).toContain('&#60;i&#62;title');
  });

  it('can do without data', async () => {
    const page = await reportHtml(bare);
    expect(page).toContain('No data were given');
    expect(page.match(/<svg/g)).toHaveLength(1);
    expect(page).not.toMatch(/NaN|undefined/);
  });
});

describe('JSON', () => {
  it('has two models as a and b', () => {
    const json = reportJson(report(compressed('eight', 8)));
    expect(json).toMatchObject({
      a: { name: 'original', metrics: { accuracy: 0.95 }, examples: 400, microsecondsPerStep: 10 },
      b: { name: 'eight', file: 'eight.gatefold', metrics: { accuracy: 0.9 } },
      agreement: 0.97,
      maxAbsDifference: 0.0123,
      meanKl: 0.001,
      drift: [{ step: 1 }, { step: 10 }],
      ratios: { time: 4, macs: 1 },
    });
    expect(json.candidates).toHaveLength(1);
  });

  it('has several as candidates, and says null for what was not measured', () => {
    expect(Object.keys(reportJson(full))).not.toContain('b');
    expect(reportJson(full).candidates.map(({ name }) => name)).toEqual(['eight', 'four']);
    expect(JSON.parse(JSON.stringify(reportJson(bare)))).toMatchObject({
      data: null,
      agreement: null,
      maxAbsDifference: null,
      a: { metrics: {}, examples: 0, microsecondsPerStep: null },
      ratios: { bytes: 1, macs: 1 },
    });
  });

  it('survives being written', () => {
    const json = reportJson(full);
    expect(JSON.parse(JSON.stringify(json))).toEqual(json);
  });

  it('has ratios above 1 for smaller and faster', () => {
    const eight = compressed('eight', 8);
    expect(ratiosOf(first, eight)).toEqual({
      float32: first.costs.float32Bytes / eight.costs.bytes,
      bytes: first.costs.bytes / eight.costs.bytes,
      macs: 1,
      time: 4,
    });
    expect(ratiosOf(first, eight).bytes).toBeGreaterThan(1);
  });
});
