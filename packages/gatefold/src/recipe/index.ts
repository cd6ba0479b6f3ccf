export { presetByName, presets } from './presets.ts';
export { runRecipe, type StepOutcome } from './run.ts';
export { checkRecipe, parseRecipe, type Recipe, type RecipeStep, recipeJsonSchema } from './schema.ts';
