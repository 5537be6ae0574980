import type { JudgedPair } from '../../domain/judging.ts';
import type { ProgrammeState } from '../../domain/programme.ts';
import type { ArtefactRows } from './artefact-rows.ts';
import type { QualityReport } from './report-data.ts';

const kinds: ((pair: JudgedPair) => boolean)[] = [
  ({ verdict, by }) => verdict === 'win' && by === 'judge',
  ({ verdict, by }) => verdict === 'loss' && by === 'judge',
  ({ flipped }) => flipped !== null,
  ({ verdict, flipped, by }) => verdict === 'tie' && flipped === null && by === 'judge',
  ({ verdict }) => verdict === null,
];

/** Question quality of each attempt that had it, with the first pair of each kind in file order. */
export async function qualityReports(state: ProgrammeState, rows: ArtefactRows): Promise<QualityReport[]> {
  const reports: QualityReport[] = [];
  for (const { phase, attempt, experiments } of state.phases) {
    const quality = experiments?.questionQuality;
    if (quality === undefined) continue;
    reports.push({ phase, attempt, quality, ...(await pairsOf(rows<JudgedPair>(quality.verdicts))) });
  }
  return reports;
}

async function pairsOf(rows: AsyncIterable<JudgedPair>): Promise<Pick<QualityReport, 'pairs' | 'problem'>> {
  const first: (JudgedPair | undefined)[] = kinds.map(() => undefined);
  try {
    for await (const pair of rows) {
      if (pair.known !== undefined) continue;
      for (const [index, holds] of kinds.entries()) if (holds(pair)) first[index] ??= pair;
    }
    return { pairs: first.filter((pair) => pair !== undefined), problem: null };
  } catch (error) {
    return {
      pairs: [],
      problem: `Verdicts could not be read: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}
