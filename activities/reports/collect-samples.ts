import type { ProgrammeState } from '../../domain/programme.ts';
import type { EvaluatedItem, EvaluationSummary } from '../../domain/records.ts';
import type { ArtefactRows } from './artefact-rows.ts';
import { headlineOf } from './headline.ts';
import type { Sample } from './report-data.ts';

const perKind = 2;
const longest = 2_500;
const kinds: readonly Sample['kind'][] = ['gained', 'lost', 'both right', 'both wrong', 'unparsable'];

type Cut = { text: string; cut: boolean };
const cutText = (text: string): Cut => ({ text: text.slice(0, longest), cut: text.length > longest });

/**
 * A few questions per kind, first ones in file order, so that nobody picked them: what the last model got right where the
 * first trained one (or the base) did not, the other way round, and so on. Missing or damaged files cost the samples, not the report.
 */
export async function collectSamples(state: ProgrammeState, rows: ArtefactRows): Promise<Sample[]> {
  const compared = evaluationsToCompare(state);
  const last = compared.at(-1);
  if (last === undefined) return [];
  try {
    const first = compared[0] === last ? undefined : compared[0];
    const chosen = await choose(first, last, rows);
    await fill(chosen, compared, rows);
    await addQuestions(chosen, state, rows);
    return [...chosen.values()].sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind));
  } catch {
    return [];
  }
}

/** Headline evaluations of the first Phase A, and of the last attempt at each later phase. */
function evaluationsToCompare(state: ProgrammeState): EvaluationSummary[] {
  const last = new Map(state.phases.map((attempt) => [attempt.phase, headlineOf(attempt)]));
  const listed = [last.get('A') ?? state.baseEvaluation, last.get('B'), last.get('C')];
  return listed.filter((evaluation) => evaluation !== undefined && evaluation !== null);
}

async function choose(
  first: EvaluationSummary | undefined,
  last: EvaluationSummary,
  rows: ArtefactRows,
): Promise<Map<string, Sample>> {
  const before = new Map<string, boolean>();
  if (first) for await (const item of rows<EvaluatedItem>(first.items)) before.set(item.id, item.correct);
  const chosen = new Map<string, Sample>();
  const counts = new Map<Sample['kind'], number>();
  for await (const item of rows<EvaluatedItem>(last.items)) {
    const kind = kindOf(before.get(item.id), item);
    const n = counts.get(kind) ?? 0;
    if (n >= perKind) continue;
    counts.set(kind, n + 1);
    chosen.set(item.id, { id: item.id, kind, question: '', truth: item.truth, draft: null, answers: [] });
  }
  return chosen;
}

function kindOf(before: boolean | undefined, item: EvaluatedItem): Sample['kind'] {
  if (item.answer === null) return 'unparsable';
  if (item.correct) return before === false ? 'gained' : 'both right';
  return before === true ? 'lost' : 'both wrong';
}

async function fill(chosen: Map<string, Sample>, compared: EvaluationSummary[], rows: ArtefactRows) {
  for (const evaluation of compared)
    for await (const item of rows<EvaluatedItem>(evaluation.items)) {
      const { answer, correct, finish } = item;
      chosen
        .get(item.id)
        ?.answers.push({ evaluation: evaluation.name, answer, correct, finish, ...cutText(item.text) });
    }
}

async function addQuestions(chosen: Map<string, Sample>, state: ProgrammeState, rows: ArtefactRows) {
  if (state.data)
    for await (const row of rows<{ id: string; question: string }>(state.data.evaluation)) {
      const sample = chosen.get(row.id);
      if (sample) sample.question = cutText(row.question).text;
    }
  if (state.drafts)
    for await (const row of rows<{ id: string; text: string }>(state.drafts.evaluation)) {
      const sample = chosen.get(row.id);
      if (sample) sample.draft = cutText(row.text).text;
    }
}
