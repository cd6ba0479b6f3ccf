import { drawCharts, scanChart } from './charts.ts';
import { alignedTable, showMetric, showNumber } from './format.ts';
import { escapeHtml, figures, page, table } from './page.ts';

/** A scan of how much each matrix and gate can lose. */
export interface ScanReport {
  readonly model: string;
  readonly data: string;
  readonly metric: string;
  /** Of the whole model. */
  readonly baseline: number;
  readonly shares: readonly number[];
  readonly places: readonly {
    readonly place: string;
    readonly weights: number;
    readonly values: readonly (number | undefined)[];
  }[];
}

function rowsOf({ metric, shares, places }: ScanReport): { head: string[]; rows: string[][] } {
  return {
    head: ['removed from', 'weights', ...shares.map((share) => `${Number((share * 100).toPrecision(4))} %`)],
    rows: places.map(({ place, weights, values }) => [
      place,
      showNumber(weights),
      ...values.map((value) => (value === undefined ? '-' : showMetric(metric, value))),
    ]),
  };
}

function heading({ model, data, metric, baseline }: ScanReport): string {
  return `${metric} of ${model} on ${data}, each alone, without training; whole: ${showMetric(metric, baseline)}`;
}

export function scanText(report: ScanReport): string {
  const { head, rows } = rowsOf(report);
  return `${heading(report)}\n\n${alignedTable(head, rows, head.slice(1))}`;
}

/** The scan as one page. */
export async function scanHtml(report: ScanReport): Promise<string> {
  const { metric, shares, places } = report;
  const nodes = [...new Set(places.map(({ place }) => place.split('/').slice(0, 2).join('/')))];
  const charts = nodes.map((node) =>
    scanChart(
      metric,
      shares,
      places.filter(({ place }) => place === node || place.startsWith(`${node}/`)),
    ),
  );
  const { head, rows } = rowsOf(report);
  const drawn = await drawCharts(charts, 640, 400, new Map());
  return page(
    `What ${report.model} can lose`,
    `<p class="note">${escapeHtml(heading(report))}</p>\n${table(head, rows)}\n${figures(drawn)}`,
  );
}
