import type { DriftPoint } from '../evaluate/index.ts';
import { alignedTable, showBytes, showMacs, showMetric, showNumber } from './format.ts';
import { type Candidate, judgedBy, type Report, ratiosOf } from './model.ts';

/** The report on a terminal. */
export function reportText({ title, data, environment, candidates }: Report): string {
  const first = candidates[0]!;
  const metric = judgedBy(first.evaluation);
  const columns: [string, (candidate: Candidate) => string][] = [
    ['model', ({ name }) => name],
    ['file', ({ costs }) => showBytes(costs.bytes)],
    ['brotli', ({ costs }) => (costs.brotliBytes === undefined ? '' : showBytes(costs.brotliBytes))],
    ['× smaller', (candidate) => (candidate === first ? '' : `${ratiosOf(first, candidate).float32.toFixed(2)}×`)],
    ['memory', ({ costs }) => showBytes(costs.residentBytes)],
    ...(metric
      ? ([
          [metric.name, ({ evaluation }) => showMetric(metric.name, evaluation!.metrics[metric.name]!)],
          ['change', (candidate) => (candidate === first ? '' : change(metric.name, first, candidate))],
        ] as [string, (candidate: Candidate) => string][])
      : []),
    ...(first.evaluation?.own ?? []).map((name): [string, (candidate: Candidate) => string] => [
      name,
      ({ evaluation }) => showMetric(name, evaluation!.metrics[name]!),
    ]),
    [
      'agrees',
      ({ versusFirst }) => (versusFirst?.agreement === undefined ? '' : showMetric('agreement', versusFirst.agreement)),
    ],
    [
      'max Δ',
      (candidate) =>
        candidate === first || !candidate.versusFirst ? '' : candidate.versusFirst.maxAbsDifference.toExponential(1),
    ],
    ['KL', (candidate) => (candidate === first ? '' : (candidate.versusFirst?.meanKl?.toExponential(1) ?? ''))],
    ['µs/step', ({ microsecondsPerStep }) => microsecondsPerStep?.toFixed(2) ?? ''],
    ['× faster', (candidate) => (candidate === first ? '' : timeRatio(first, candidate))],
    ['nJ/step*', ({ costs }) => costs.energy.nanojoulesPerStep.toPrecision(3)],
  ];
  const used = columns.filter(
    ([name, show]) => name === 'model' || candidates.some((candidate) => show(candidate) !== ''),
  );
  const head = used.map(([name]) => name);
  const rows = candidates.map((candidate) => used.map(([, show]) => show(candidate)));
  const lines = [title, data ?? '', environment, '', alignedTable(head, rows, head.slice(1))];
  for (const candidate of candidates.slice(1)) {
    lines.push('', nodeTable(candidate));
    if (candidate.drift && candidate.drift.length > 0) lines.push('', driftLine(candidate.drift));
  }
  lines.push(
    '',
    `file, brotli: as .gatefold. × smaller: against the float32 weights.${head.includes('KL') ? ' KL: mean divergence from the first, in nats.' : ''}`,
    '* estimate: products alone, weights from an 8 kB cache, 45 nm (Horowitz 2014).',
  );
  return lines.filter((line, i) => line !== '' || i > 2).join('\n');
}

function change(metric: string, first: Candidate, candidate: Candidate): string {
  const a = first.evaluation!.metrics[metric]!;
  const b = candidate.evaluation!.metrics[metric]!;
  if (metric === 'accuracy') return `${b >= a ? '+' : '−'}${Math.abs((b - a) * 100).toFixed(2)} pt`;
  const relative = (b / a - 1) * 100;
  return `${relative >= 0 ? '+' : '−'}${Math.abs(relative).toFixed(2)} %`;
}

function timeRatio(first: Candidate, candidate: Candidate): string {
  const { time } = ratiosOf(first, candidate) as { time?: number };
  return time === undefined ? '' : `${time.toFixed(2)}×`;
}

/** How far the outputs have drifted apart, at a few of the steps where it was measured. */
function driftLine(drift: readonly DriftPoint[]): string {
  const shown = drift.filter((_, i) => i % 2 === 0 || i === drift.length - 1);
  const points = shown.map(({ step, difference }) => `${difference.toExponential(1)} at step ${showNumber(step)}`);
  return `drift (mean difference of outputs in one stream): ${points.join(', ')}`;
}

function nodeTable({ name, costs, errors = [] }: Candidate): string {
  const rows = costs.nodes
    .filter((node) => node.parameters > 0)
    .map((node) => {
      const matrices = node.weights.filter((weight) => weight.shape.length > 1);
      const own = errors.filter((error) => error.place.startsWith(`${node.name}/`));
      const worst = own.reduce((a, b) => Math.max(a, b.relative), 0);
      return [
        node.name,
        node.cell ?? node.op,
        [...new Set(matrices.map((weight) => weight.encoding))].join(', '),
        showNumber(node.parameters),
        showBytes(node.bytes),
        showMacs(node),
        own.length > 0 ? `${(worst * 100).toFixed(2)} %` : '',
      ];
    });
  const right = ['parameters', 'bytes', 'MACs/step', 'worst error'];
  const used = errors.length > 0 ? right : right.slice(0, -1);
  return alignedTable(
    [name, 'op', 'matrices', ...used],
    rows.map((row) => row.slice(0, 3 + used.length)),
    used,
  );
}
