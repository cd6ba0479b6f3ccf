import {
  type ChartIds,
  drawCharts,
  driftChart,
  errorChart,
  histogramChart,
  metricChart,
  sizeChart,
  timeChart,
} from './charts.ts';
import { showBytes, showMacs, showMetric } from './format.ts';
import { type Candidate, judgedBy, type Report, ratiosOf } from './model.ts';
import { escapeHtml, figures, page, table } from './page.ts';

function summary(candidates: readonly Candidate[]): string {
  const first = candidates[0]!;
  const metrics = Object.keys(first.evaluation?.metrics ?? {});
  const head = [
    'model',
    'file',
    'brotli',
    '× smaller than float32',
    'memory',
    ...metrics,
    'agreement',
    'mean KL (nats)',
    'max difference',
    'µs/step',
    '× faster',
    'nJ/step (estimate)',
  ];
  const rows = candidates.map((candidate) => {
    const { name, costs, evaluation, versusFirst, microsecondsPerStep } = candidate;
    const ratios = ratiosOf(first, candidate) as { float32: number; time?: number };
    const other = candidate !== first;
    return [
      name,
      showBytes(costs.bytes),
      costs.brotliBytes === undefined ? '' : showBytes(costs.brotliBytes),
      other ? `${ratios.float32.toFixed(2)}×` : '',
      showBytes(costs.residentBytes),
      ...metrics.map((metric) => showMetric(metric, evaluation!.metrics[metric]!)),
      other && versusFirst?.agreement !== undefined ? showMetric('agreement', versusFirst.agreement) : '',
      other && versusFirst?.meanKl !== undefined ? versusFirst.meanKl.toExponential(2) : '',
      other && versusFirst ? versusFirst.maxAbsDifference.toExponential(2) : '',
      microsecondsPerStep?.toFixed(2) ?? '',
      other && ratios.time ? `${ratios.time.toFixed(2)}×` : '',
      costs.energy.nanojoulesPerStep.toPrecision(3),
    ];
  });
  return table(head, rows);
}

function nodes({ costs, errors = [] }: Candidate): string {
  const rows = costs.nodes
    .filter((node) => node.parameters > 0)
    .flatMap((node) =>
      node.weights.map((weight) => {
        const own = errors.filter(
          ({ place }) => place === `${node.name}/${weight.role}` || place.startsWith(`${node.name}/${weight.role}/`),
        );
        return [
          `${node.name}/${weight.role}`,
          node.cell ?? node.op,
          `[${weight.shape.join(', ')}]`,
          weight.encoding,
          showBytes(weight.bytes),
          showMacs(node),
          own.map(({ place, relative }) => `${place.split('/').at(-1)} ${(relative * 100).toFixed(2)} %`).join(', '),
        ];
      }),
    );
  return table(['weight', 'op', 'shape', 'encoding', 'bytes', "node's MACs/step", 'relative error'], rows, 'weights');
}

/** Room for a bar per matrix or gate and candidate. */
function errorHeight(candidates: readonly Candidate[]): number {
  const compared = candidates.filter(({ errors }) => errors && errors.length > 0);
  return Math.max(280, 110 + (compared[0]?.errors?.length ?? 0) * (16 + 18 * compared.length));
}

/** The report as one page that needs nothing else: no script, no request. */
export async function reportHtml(report: Report): Promise<string> {
  const { title, data, environment, candidates } = report;
  const first = candidates[0]!;
  const metric = judgedBy(first.evaluation)?.name;
  const ids: ChartIds = new Map();
  const overview = await drawCharts(
    [
      sizeChart(candidates),
      ...(metric ? [metricChart(candidates, metric)] : []),
      ...(candidates.every((c) => c.microsecondsPerStep) ? [timeChart(candidates)] : []),
    ],
    480,
    320,
    ids,
  );
  const errors = candidates.some((c) => c.errors)
    ? await drawCharts([errorChart(candidates)], 960, errorHeight(candidates), ids)
    : [];
  const drifts = candidates.some(({ drift }) => drift) ? await drawCharts([driftChart(candidates)], 760, 360, ids) : [];
  const histograms: string[][] = [];
  for (const { histograms: own = [] } of candidates) {
    const charts = own.map(histogramChart);
    histograms.push(charts.length > 0 ? await drawCharts(charts, 480, 320, ids) : []);
  }
  const sections = candidates
    .slice(1)
    .map((candidate, i) => `<h2>${escapeHtml(candidate.name)}</h2>${nodes(candidate)}${figures(histograms[i + 1]!)}`);
  return page(
    title,
    `<p class="note">${escapeHtml(data ?? 'No data were given: sizes and weights alone.')}<br>${escapeHtml(environment)}</p>
${summary(candidates)}
${figures(overview)}
<p class="note">Energy is an ${escapeHtml(first.costs.energy.assumption)}.</p>
${errors.length > 0 ? `<h2>Error per matrix and gate</h2>${figures(errors)}` : ''}
${drifts.length > 0 ? `<h2>Drift</h2>${figures(drifts)}` : ''}
${sections.join('\n')}`,
  );
}
