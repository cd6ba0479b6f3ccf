/** JSON of other tools that a test edits freely, and mostly to make it wrong. */
// biome-ignore lint/suspicious/noExplicitAny: no type holds for what is damaged on purpose.
export type Loose = any;
