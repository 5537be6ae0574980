import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { Recipe } from './recipe.ts';
import { TrainerJob } from './trainer-job.ts';

/**
 * Writes the JSON Schemas that others validate against (editors: recipes; Python: trainer jobs); zod stays the only
 * source. `npm run schema` writes; with `--check` nothing is written and drift exits 1.
 */
const schemas = [
  { file: 'config/recipe.schema.json', schema: Recipe },
  { file: 'trainer/src/ratchet_trainer/job.schema.json', schema: TrainerJob },
];

const check = process.argv.includes('--check');
for (const { file, schema } of schemas) {
  const path = fileURLToPath(new URL(`../${file}`, import.meta.url));
  const text = JSON.stringify(z.toJSONSchema(schema, { io: 'input' }), null, 2) + '\n';
  if (!check) await writeFile(path, text);
  else if ((await readFile(path, 'utf8').catch(() => '')) !== text) {
    console.error(`${file} is not what zod says. Fix: npm run schema`);
    process.exitCode = 1;
  }
}
