import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { recipesFolder, recipeNames } from '../../config/recipe-files.ts';

const root = resolve(import.meta.dirname, '../..');
const writer = join(root, 'config/write-schemas.ts');
const folder = mkdtempSync(join(tmpdir(), 'ratchet-schema-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('JSON Schemas', () => {
  it('are what zod says', () => {
    expect(() => execFileSync(process.execPath, [writer, '--check'], { stdio: 'pipe' })).not.toThrow();
  });

  it('name drift', () => {
    const copy = join(folder, 'config');
    execFileSync('cp', ['-r', join(root, 'config'), copy]);
    execFileSync('cp', ['-r', join(root, 'domain'), join(folder, 'domain')]);
    execFileSync('mkdir', ['-p', join(folder, 'trainer/src/ratchet_trainer')]);
    execFileSync('ln', ['-s', join(root, 'node_modules'), join(folder, 'node_modules')]);
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    execFileSync(process.execPath, [join(copy, 'write-schemas.ts')]);
    writeFileSync(join(copy, 'recipe.schema.json'), '{}');
    expect(() =>
      execFileSync(process.execPath, [join(copy, 'write-schemas.ts'), '--check'], { stdio: 'pipe' }),
    ).toThrow('config/recipe.schema.json is not what zod says. Fix: npm run schema');
  });

  it.each(recipeNames())('%s names its schema and its launch command', (name) => {
    const text = readFileSync(join(recipesFolder, `${name}.yaml`), 'utf8');
    expect(text).toMatch(/^# yaml-language-server: \$schema=\.\.\/recipe\.schema\.json\n/);
    expect(text).toContain(`ratchet run ${name}`);
  });
});
