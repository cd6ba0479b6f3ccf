export { alignedTable, showBytes, showMetric, showNumber } from './format.ts';
export { reportHtml } from './html.ts';
export { type Candidate, type Report, ratiosOf, reportJson } from './model.ts';
export { type ScanReport, scanHtml, scanText } from './scan.ts';
export { sensitivityText } from './sensitivity.ts';
export { reportText } from './text.ts';
