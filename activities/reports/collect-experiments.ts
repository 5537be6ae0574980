import { draftShare, tokenShare } from '../../domain/attribution.ts';
import { meanInterval, meanOf, sampleOf } from '../../domain/means.ts';
import type { Interval } from '../../domain/statistics.ts';
import type { Experiments, ProgrammeState } from '../../domain/programme.ts';
import type { AttributedItem, AttributedToken } from '../../domain/records.ts';
import type { ArtefactRows } from './artefact-rows.ts';
import type { AttributedSample, ExperimentsReport } from './report-data.ts';

const shownAnswers = 3;
/** A prompt that is longer is cut: it would be a wall of shaded words. */
const shownTokens = 400;

/** Experiments of every attempt at Phase C whose gate was shown any. Damaged files cost the samples, not the report. */
export async function collectExperiments(state: ProgrammeState, rows: ArtefactRows): Promise<ExperimentsReport[]> {
  const reports: ExperimentsReport[] = [];
  for (const { phase, attempt, evidence, experiments } of state.phases) {
    if (evidence?.experiments === undefined) continue;
    const attribution = experiments?.attribution;
    const read = attribution === undefined ? null : await readAttribution(attribution, rows).catch(() => null);
    const { attribution: shares = null, samples = [] } = read ?? {};
    reports.push({ phase, attempt, experiments: evidence.experiments, attribution: shares, samples });
  }
  return reports;
}

async function readAttribution(
  { before, after }: NonNullable<Experiments['attribution']>,
  rows: ArtefactRows,
): Promise<Pick<ExperimentsReport, 'attribution' | 'samples'>> {
  const shares: Record<'before' | 'after', number[]> = { before: [], after: [] };
  const tokens: number[] = [];
  const samples: AttributedSample[] = [];
  for await (const item of rows<AttributedItem>(before.rows)) shares.before.push(draftShare(item));
  for await (const item of rows<AttributedItem>(after.rows)) {
    shares.after.push(draftShare(item));
    tokens.push(tokenShare(item));
    // The first ones in the order of the file: nobody picked them.
    if (samples.length < shownAnswers) samples.push(sampleFrom(item));
  }
  const interval = (values: number[]): Interval => meanInterval(sampleOf(values), 0.95, [0, 1]);
  const attribution =
    shares.after.length === 0
      ? null
      : { before: interval(shares.before), after: interval(shares.after), tokenShare: meanOf(tokens) };
  return { attribution, samples };
}

function sampleFrom(item: AttributedItem): AttributedSample {
  const { id, truth, answer } = item;
  const most = Math.max(Number.MIN_VALUE, ...item.tokens.map(({ attribution }) => Math.abs(attribution)));
  const shown = item.tokens.slice(0, shownTokens).reduce<AttributedToken[]>(joinPieces, []);
  return {
    ...{ id, truth, answer, share: draftShare(item), tokenShare: tokenShare(item) },
    cut: item.tokens.length > shownTokens,
    tokens: shown.map(({ text, draft, attribution }) => ({ text, draft, weight: attribution / most })),
  };
}

/** A character that takes several tokens is shown once, with what they have together. */
function joinPieces(shown: AttributedToken[], token: AttributedToken): AttributedToken[] {
  const last = shown.at(-1);
  if (token.text !== '' || last === undefined) return [...shown, token];
  return [...shown.slice(0, -1), { ...last, attribution: last.attribution + token.attribution }];
}
