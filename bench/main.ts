import { readdirSync } from 'node:fs';

/**
 * `npm run bench -- NAME [options]`: runs one measurement. Each file of this folder but this one is a measurement: it exports
 * `about`, one line, and `measure(args)`, which prints what it does and, last, the one figure it is for.
 */
export type Measurement = { about: string; measure(args: string[]): Promise<void> };

const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && file !== 'main.ts')
  .map((file) => file.slice(0, -3));
const load = async (name: string) => (await import(`./${name}.ts`)) as Measurement;

const [name, ...args] = process.argv.slice(2);
if (name === undefined || !names.includes(name)) {
  if (name !== undefined && name !== '--help') console.error(`No measurement is called ${name}.\n`);
  console.log('npm run bench -- NAME\n');
  for (const each of names) console.log(`  ${each.padEnd(20)} ${(await load(each)).about}`);
  process.exitCode = name === undefined || name === '--help' ? 0 : 2;
} else {
  await (await load(name)).measure(args);
}
