import type { EChartsCoreOption } from 'echarts/core';
import type { Candidate } from './model.ts';

const palette = ['#2f6f9f', '#d9822b', '#5a8f3d', '#8a5aa8', '#b0413e', '#3d8f86'];

/** Names inside the SVGs of one page by those that echarts gave, which it counts on from page to page. */
export type ChartIds = Map<string, string>;

/** Draws charts as SVG text; no DOM is needed. Same charts in the same order, same text. */
export async function drawCharts(
  options: readonly EChartsCoreOption[],
  width: number,
  height: number,
  ids: ChartIds,
): Promise<string[]> {
  const [echarts, charts, components, renderers] = await Promise.all([
    import('echarts/core'),
    import('echarts/charts'),
    import('echarts/components'),
    import('echarts/renderers'),
  ]);
  echarts.use([
    charts.BarChart,
    charts.LineChart,
    components.GridComponent,
    components.LegendComponent,
    components.TitleComponent,
    renderers.SVGRenderer,
  ]);
  return options.map((option) => {
    const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height });
    chart.setOption({
      animation: false,
      color: palette,
      textStyle: { fontFamily: 'system-ui, sans-serif' },
      ...option,
    });
    const svg = chart.renderToSVGString();
    chart.dispose();
    return svg.replace(/(id="|class="|url\(#|\.)(zr\d+-[a-z]+-?\d+)/g, (_, before: string, id: string) => {
      const name = ids.get(id) ?? `c${ids.size}`;
      ids.set(id, name);
      return before + name;
    });
  });
}

const grid = { left: 60, right: 20, top: 40, bottom: 40 };
/** Above the plot there is room for the title alone. */
const legendGrid = { ...grid, bottom: 64 };
const title = (text: string) => ({ text, left: 'center', top: 6, textStyle: { fontSize: 14 } });
const legend = (names: readonly string[]) => ({ bottom: 8, data: [...names] });
const bars = (names: readonly string[], values: readonly number[]) => ({
  grid,
  xAxis: { type: 'category', data: names },
  series: [{ type: 'bar', barMaxWidth: 70, data: values, label: { show: true, position: 'top' } }],
});

export function sizeChart(candidates: readonly Candidate[]): EChartsCoreOption {
  const names = candidates.map(({ name }) => name);
  return {
    title: title('File size, kB'),
    yAxis: { type: 'value' },
    ...bars(
      names,
      candidates.map(({ costs }) => round(costs.bytes / 1000)),
    ),
  };
}

export function metricChart(candidates: readonly Candidate[], metric: string): EChartsCoreOption {
  const share = metric === 'accuracy';
  const values = candidates.map(({ evaluation }) => round((evaluation?.metrics[metric] ?? 0) * (share ? 100 : 1)));
  const low = Math.min(...values);
  const high = Math.max(...values);
  const margin = Math.max((high - low) * 2, high * 0.002);
  return {
    title: title(share ? 'Accuracy, % (the axis does not start at 0)' : metric),
    yAxis: {
      type: 'value',
      min: share ? Math.max(0, Math.floor((low - margin) * 10) / 10) : 0,
      ...(share ? { max: Math.min(100, Math.ceil((high + margin) * 10) / 10) } : {}),
    },
    ...bars(
      candidates.map(({ name }) => name),
      values,
    ),
  };
}

export function timeChart(candidates: readonly Candidate[]): EChartsCoreOption {
  const values = candidates.map(({ microsecondsPerStep }) => round(microsecondsPerStep ?? 0));
  return {
    title: title('µs per step'),
    yAxis: { type: 'value' },
    ...bars(
      candidates.map(({ name }) => name),
      values,
    ),
  };
}

/** Relative error of every matrix and gate, one series per candidate. */
export function errorChart(candidates: readonly Candidate[]): EChartsCoreOption {
  const compared = candidates.filter(({ errors }) => errors && errors.length > 0);
  const places = compared[0]?.errors?.map(({ place }) => place) ?? [];
  return {
    title: title('Relative error of the weights, %, by matrix and gate'),
    legend: legend(compared.map(({ name }) => name)),
    grid: { ...legendGrid, left: 170 },
    yAxis: { type: 'category', data: places, inverse: true },
    xAxis: { type: 'value' },
    series: compared.map(({ name, errors }) => ({
      name,
      type: 'bar',
      data: errors!.map(({ relative }) => round(relative * 100)),
    })),
  };
}

/** Weights of one matrix before and after. */
export function histogramChart({
  place,
  low,
  high,
  before,
  after,
}: NonNullable<Candidate['histograms']>[number]): EChartsCoreOption {
  const width = (high - low) / before.length;
  return {
    title: title(`${place}: how many weights have which value`),
    legend: legend(['before', 'after']),
    grid: legendGrid,
    xAxis: { type: 'category', data: before.map((_, i) => (low + (i + 0.5) * width).toFixed(2)) },
    yAxis: { type: 'value' },
    series: [
      { name: 'before', type: 'line', step: 'middle', symbol: 'none', areaStyle: { opacity: 0.25 }, data: before },
      { name: 'after', type: 'bar', barCategoryGap: '0%', itemStyle: { opacity: 0.7 }, data: after },
    ],
  };
}

export function driftChart(candidates: readonly Candidate[]): EChartsCoreOption {
  const drifting = candidates.filter(({ drift }) => drift && drift.length > 0);
  return {
    title: title('Mean difference to the original along one long stream, by step'),
    legend: legend(drifting.map(({ name }) => name)),
    grid: legendGrid,
    xAxis: { type: 'log' },
    yAxis: { type: 'log', axisLabel: { formatter: (value: number) => value.toExponential(0) } },
    series: drifting.map(({ name, drift }) => ({
      name,
      type: 'line',
      data: drift!.map(({ step, difference }) => [step, Math.max(difference, 1e-12)]),
    })),
  };
}

/** What removing more and more of each matrix or gate does to the metric. */
export function scanChart(
  metric: string,
  shares: readonly number[],
  places: readonly { readonly place: string; readonly values: readonly (number | undefined)[] }[],
): EChartsCoreOption {
  return {
    title: title(`${metric} against the share that was removed, %`),
    legend: legend(places.map(({ place }) => place)),
    grid: legendGrid,
    xAxis: { type: 'category', data: shares.map((share) => String(round(share * 100))) },
    yAxis: { type: 'value', scale: true },
    series: places.map(({ place, values }) => ({
      name: place,
      type: 'line',
      data: values.map((value) => (value === undefined ? null : round(value * (metric === 'accuracy' ? 100 : 1)))),
    })),
  };
}

function round(value: number): number {
  return Number(value.toPrecision(5));
}
