export { FrontEnd } from './front-end.ts';
export { type FrontEndOptions, frontEndOptions, parseFrontEnd } from './options.ts';
