import type { SearchResult } from '../compress/index.ts';
import { alignedTable, showBytes, showMetric } from './format.ts';

/** What every way to code every weight did alone, and what was chosen. */
export function sensitivityText({ sensitivities, agreement, divergence, runs }: SearchResult): string {
  const decides = agreement !== undefined;
  const rows = sensitivities.map((each, i) => [
    each.place === sensitivities[i - 1]?.place ? '' : each.place,
    each.coding,
    showBytes(each.bytes),
    ...(decides ? [showMetric('agreement', each.agreement!)] : []),
    each.divergence.toExponential(1),
    each.chosen ? 'chosen' : '',
  ]);
  const numbers = ['bytes', ...(decides ? ['agrees'] : []), 'divergence'];
  const whole = [...(decides ? [`${showMetric('agreement', agreement)} agreement`] : []), divergence.toExponential(1)];
  return [
    alignedTable(['weight alone', 'coded', ...numbers, ''], rows, numbers),
    '',
    `chosen together, on the calibration data: ${whole.join(', divergence ')} (${runs} models were run)`,
  ].join('\n');
}
