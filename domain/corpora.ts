import { balanceRows } from './balance.ts';
import type { LabelledRow } from './balance.ts';
import { filterResponses } from './filtering.ts';
import { invalid } from './invalid.ts';
import { draftText } from './parse-draft.ts';
import type { Balance, DataStep, Draft, Filtering, Question, SftRow, TeacherResponse } from './records.ts';
import { withReasoning } from './reasoning.ts';
import { countByAnswer, stratifiedSample } from './sampling.ts';
import { sortedById } from './shuffle.ts';
import { fillTemplate } from './templates.ts';
import type { Templates } from './templates.ts';

/** Rows to train on, rows held out for early stopping (empty without it), and what every step did. */
export type BuiltCorpus = { rows: SftRow[]; heldOut: SftRow[]; steps: DataStep[] };

/** Phase A: `Question: …\nAnswer:` → ` yes` or ` no`, one row per question, in order of id. */
export function answerCorpus(questions: readonly Question[], templates: Pick<Templates, 'answer'>): BuiltCorpus {
  if (questions.length === 0) throw invalid('InvalidData', 'no questions to build the answer corpus from');
  const counts = countByAnswer(questions);
  return {
    rows: sortedById(questions).map(({ question, answer }) => ({
      prompt: fillTemplate(templates.answer, { question }),
      completion: ` ${answer}`,
    })),
    heldOut: [],
    steps: [{ name: 'sampled', before: counts, after: counts, removed: [] }],
  };
}

/** How the corpus of Phase B is made; as in the recipe's `phaseB`. */
export type ReasoningOptions = {
  filtering: Filtering;
  consensusAttempts: number;
  balance: Balance;
  earlyStopping?: { heldOutShare: number } | undefined;
  seed: number;
  /** Of the teacher: the model learns to think first. Default: its answers alone. */
  trainOnReasoning?: boolean;
};

/** The teacher's text as a completion: it begins with a newline, so that it tokenises apart from the prompt. */
export const responseCompletion = (text: string): string => `\n${text.trim()}`;

/** What of a response is trained on. */
export const taught = (
  { text, reasoning }: Pick<TeacherResponse, 'text' | 'reasoning'>,
  { trainOnReasoning = false }: { trainOnReasoning?: boolean },
): string => (trainOnReasoning ? withReasoning(text, reasoning) : text);

const unlabelled = ({ row }: LabelledRow): SftRow => row;

/** Holds out rows by label before anything is repeated, so that no row is on both sides. */
function holdOut(
  rows: LabelledRow[],
  share: number,
  seed: number,
): { kept: LabelledRow[]; held: LabelledRow[]; step: DataStep } {
  const size = Math.max(2, Math.round(rows.length * share));
  if (rows.length < size + 2)
    throw invalid('InvalidData', `${rows.length} rows are too few to hold ${size} out for early stopping`);
  const held = stratifiedSample(rows, size, seed);
  const ids = new Set(held.map(({ id }) => id));
  const kept = rows.filter(({ id }) => !ids.has(id));
  const step = {
    name: 'held out for early stopping',
    before: countByAnswer(rows),
    after: countByAnswer(kept),
    removed: [{ reason: 'held out', counts: countByAnswer(held) }],
  };
  return { kept, held, step };
}

/**
 * Phase B: question + draft → the teacher's text. Filter, then hold out, then balance; the steps say what each did, by
 * reason and class. Classes are those of the truth up to `answers as trained`, which keep-all adds: there the target
 * stays what the response says, also when it is wrong.
 *
 * @throws InvalidData when a kept question has no draft or no row is left
 */
export function reasoningCorpus(
  questions: readonly Question[],
  drafts: readonly Draft[],
  responses: readonly TeacherResponse[],
  templates: Pick<Templates, 'reasoning'>,
  options: ReasoningOptions,
): BuiltCorpus {
  const texts = new Map(drafts.map((draft) => [draft.id, draftText(draft)]));
  const filtered = filterResponses(questions, responses, options.filtering, options.consensusAttempts);
  let rows = filtered.kept.map(({ question, response, answer }): LabelledRow => {
    const draft = texts.get(question.id);
    if (draft === undefined) throw invalid('InvalidData', `question ${question.id} has no draft`);
    const prompt = fillTemplate(templates.reasoning, { question: question.question, draft });
    return { id: question.id, answer, row: { prompt, completion: responseCompletion(taught(response, options)) } };
  });
  if (rows.length === 0) {
    const lost = filtered.steps
      .flatMap((step) => step.removed)
      .map(({ reason, counts }) => `${counts.yes + counts.no} ${reason}`);
    throw invalid('InvalidData', `no row is left after filtering by ${options.filtering}: ${lost.join(', ')}`);
  }
  const steps = [...filtered.steps];
  let heldOut: SftRow[] = [];
  if (options.earlyStopping) {
    const split = holdOut(rows, options.earlyStopping.heldOutShare, options.seed);
    rows = split.kept;
    heldOut = split.held.map(unlabelled);
    steps.push(split.step);
  }
  const balanced = balanceRows(rows, options.balance, options.seed);
  if (balanced.step) steps.push(balanced.step);
  return { rows: balanced.rows.map(unlabelled), heldOut, steps };
}
