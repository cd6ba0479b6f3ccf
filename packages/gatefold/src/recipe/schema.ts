import { fail } from '@gatefold/runtime';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { criterionNames, pruneTokensSchema, pruneUnitsSchema, schemes } from '../compress/index.ts';

const setting = {
  bits: z.int().min(1).max(16).optional(),
  scheme: z.enum(schemes).optional(),
  rounding: z.enum(['nearest', 'floor']).optional(),
  symmetric: z.boolean().optional(),
  granularity: z.enum(['tensor', 'gate', 'row']).optional(),
  clip: z.enum(['max', 'mse']).optional(),
  scales: z.enum(['f32', 'f16']).optional(),
  operand: z.enum(['u7', 'u14', 'f32']).optional(),
  operandScale: z.enum(['auto', 'dynamic', 'static']).optional(),
};

const share = z.number().min(0).max(1);

/** How a pass trains. */
const trainSchema = z.strictObject({
  epochs: z.int().min(1).optional(),
  batch: z.int().min(1).optional(),
  bptt: z.int().min(1).optional(),
  optimizer: z.enum(['adam', 'sgd']).optional(),
  rate: z.number().positive().optional(),
  momentum: share.optional(),
  decay: z.number().min(0).optional(),
  clip: z.number().min(0).optional(),
  schedule: z.enum(['constant', 'step', 'cosine', 'oneCycle', 'plateau']).optional(),
  warmup: z.int().min(0).optional(),
  dropout: share.optional(),
  recurrentDropout: share.optional(),
  patience: z.int().min(1).optional(),
  distill: share.optional(),
  temperature: z.number().positive().optional(),
  holdOut: share.optional(),
});

/** Bounds that a search for each weight's precision keeps, and what it chooses from. */
const searchSchema = z
  .strictObject({
    agreement: share.optional(),
    divergence: z.number().min(0).optional(),
    prefer: z.enum(['size', 'speed', 'both']).optional(),
    bits: z.array(z.int().min(1).max(16)).min(1).optional(),
    operands: z
      .array(z.enum(['u7', 'u14', 'f32']))
      .min(1)
      .optional(),
  })
  .refine(({ agreement, divergence }) => agreement !== undefined || divergence !== undefined, {
    error: 'a search needs a bound: agreement or divergence',
  });

/** Options of the quantize pass as recipes and the command line give them. */
const quantizeSchema = z.strictObject({
  ...setting,
  vectors: z.enum(['f32', 'f16']).optional(),
  biasCorrection: z.boolean().optional(),
  compensation: z.enum(['auto', 'obs', 'none']).optional(),
  target: z.array(z.string()).optional(),
  mixed: z.array(z.strictObject({ target: z.string(), ...setting })).optional(),
  /** Quantization-aware training. */
  train: trainSchema
    .extend({ progressive: z.array(z.int().min(1).max(8)).min(1).optional(), normalize: z.boolean().optional() })
    .optional(),
  /** Precision of each weight by its measured sensitivity. */
  search: searchSchema.optional(),
});

const pair = z.tuple([z.int().min(1), z.int().min(1)]);

/** Options of the prune pass. */
const pruneSchema = z.strictObject({
  sparsity: share.optional(),
  threshold: z.number().positive().optional(),
  pattern: pair.optional(),
  block: pair.optional(),
  criterion: z.enum(criterionNames).optional(),
  scope: z.enum(['gate', 'matrix', 'global', 'measured']).optional(),
  diagonal: z.boolean().optional(),
  reorder: z.boolean().optional(),
  smallest: z.int().min(0).optional(),
  target: z.array(z.string()).optional(),
  mixed: z.array(z.strictObject({ target: z.string(), sparsity: share })).optional(),
  schedule: z
    .strictObject({
      shape: z.union([z.enum(['cubic', 'linear', 'once', 'rigl']), z.array(z.tuple([share, share])).min(1)]).optional(),
      initial: share.optional(),
      begin: share.optional(),
      end: share.optional(),
      every: z.int().min(1).optional(),
    })
    .optional(),
  /** Removes while training, or trains afterwards. */
  train: trainSchema.optional(),
});

/** One step of a recipe: a pass and its options. */
export const stepSchema = z.discriminatedUnion('pass', [
  quantizeSchema.extend({ pass: z.literal('quantize') }),
  pruneSchema.extend({ pass: z.literal('prune') }),
  pruneUnitsSchema.extend({ pass: z.literal('prune-units'), train: trainSchema.optional() }),
  pruneTokensSchema.extend({ pass: z.literal('prune-tokens') }),
  trainSchema.extend({ pass: z.literal('finetune') }),
]);

/** A chain of passes; versioned, because recipes travel inside files. */
export const recipeSchema = z.strictObject({
  version: z.literal(1),
  name: z.string().optional(),
  description: z.string().optional(),
  steps: z.array(stepSchema).min(1),
});

export type Recipe = z.infer<typeof recipeSchema>;
export type RecipeStep = z.infer<typeof stepSchema>;

/** The recipe format as JSON Schema, for editors and docs. */
export function recipeJsonSchema(): unknown {
  return z.toJSONSchema(recipeSchema);
}

/**
 * Reads a recipe from YAML or JSON text.
 * @throws RECIPE_INVALID with the place in the document
 */
export function parseRecipe(text: string, place = 'recipe'): Recipe {
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem) fail('RECIPE_INVALID', 'the recipe is not YAML or JSON', { place, found: problem.message });
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    fail('RECIPE_INVALID', 'the recipe cannot be resolved', { place, found: (error as Error).message });
  }
  return checkRecipe(value, place);
}

/** @throws RECIPE_INVALID */
export function checkRecipe(value: unknown, place = 'recipe'): Recipe {
  const result = recipeSchema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  return fail('RECIPE_INVALID', issue?.message ?? 'the recipe does not match its schema', {
    place: [place, ...(issue?.path ?? [])].join('.'),
    hint: 'the schema is printed by `gatefold schema`',
  });
}
