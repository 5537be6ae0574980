import { gainPasses, sharePasses } from '../domain/gate-power.ts';

export const about = 'largest rate of false passes of a criterion at its threshold, by enumeration, and its power';

const sizes = [50, 100, 200, 300, 687, 2000];
const shares = [0.5, 0.6, 0.7, 0.85, 0.95];
const gains = [0, 0.03, 0.07, 0.1];
const discordances = [0.04, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4];
const effects = [0.02, 0.03, 0.05, 0.07, 0.1, 0.15];
const asked = (atLeast: number) => ({ atLeast, confidence: 0.95, looks: 1 });

const line = (cells: (string | number)[]): string => `| ${cells.join(' | ')} |`;
const table = (title: string, head: (string | number)[], rows: (string | number)[][]): void => {
  console.log(`\n${title}\n`);
  for (const row of [head, head.map(() => '---'), ...rows]) console.log(line(row));
};
const rate = (chance: number): string => `${(100 * chance).toFixed(2)} %`;
const power = (chance: number): string => `${(100 * chance).toFixed(0)} %`;

/** Prints Markdown tables, as docs/gates.md has them, and the largest rate of false passes. */
export async function measure(): Promise<void> {
  let worst = 0;
  const noted = (chance: number): string => {
    worst = Math.max(worst, chance);
    return rate(chance);
  };
  table(
    'False passes, a share asked to reach',
    ['n', ...shares.map(power)],
    sizes.map((n) => [n, ...shares.map((share) => noted(sharePasses(n, asked(share), share)))]),
  );
  for (const gain of gains) {
    // A gain is made of discordant items, so there are at least as many.
    const possible = discordances.filter((discordant) => discordant >= gain);
    const rows = sizes.map((n) => {
      const passes = gainPasses(n, asked(gain));
      return [n, ...possible.map((discordant) => noted(passes({ gain, discordant })))];
    });
    table(
      `False passes, a gain asked to reach ${power(gain)}, by share of discordant items`,
      ['n', ...possible.map(power)],
      rows,
    );
  }
  table(
    'Power, a share asked to reach 60 %, by how much the true one is above',
    ['n', ...effects.map((effect) => `+${power(effect)}`)],
    sizes.map((n) => [n, ...effects.map((effect) => power(sharePasses(n, asked(0.6), 0.6 + effect)))]),
  );
  for (const gain of [0, 0.07]) {
    const rows = sizes.map((n) => {
      const passes = gainPasses(n, asked(gain));
      return [n, ...effects.map((effect) => power(passes({ gain: gain + effect, discordant: 0.25 })))];
    });
    table(
      `Power, a gain asked to reach ${power(gain)}, by how much the true one is above; 25 % discordant`,
      ['n', ...effects.map((effect) => `+${power(effect)}`)],
      rows,
    );
  }
  console.log(`\n${worst.toFixed(5)}`);
  return Promise.resolve();
}
