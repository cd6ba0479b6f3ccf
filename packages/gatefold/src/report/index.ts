export { alignedTable, showBytes, showMetric, showNumber } from './format.ts';
export { reportHtml } from './html.ts';
export { type Candidate, ratiosOf, type Report, reportJson } from './model.ts';
export { reportText } from './text.ts';
