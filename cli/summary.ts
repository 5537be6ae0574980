import { gpuHourUsdOf } from '../activities/reports/collect-losses.ts';
import { capWords } from '../activities/reports/budget-words.ts';
import { headlineOf } from '../activities/reports/headline.ts';
import { lossWords } from '../activities/reports/loss-words.ts';
import { count, duration, usd } from '../activities/reports/quantities.ts';
import { oneLine } from '../activities/reports/visible-text.ts';
import { responseLines } from '../domain/data-report.ts';
import { percent, percentRange } from '../domain/figures.ts';
import { runLedger } from '../domain/ledger.ts';
import type { EvaluationSummary } from '../domain/records.ts';
import type { ProgrammeState } from '../domain/programme.ts';
import { wilson } from '../domain/statistics.ts';
import { ablationText } from './ablation-text.ts';
import { textTable } from './terminal.ts';
import type { Paint } from './terminal.ts';
import { attemptName, decisionOf, decisionWords } from './watch/state-words.ts';

/** The end of a run on one screen: a row per attempt, money and time, where the report is. Pure. */
export function summary(state: ProgrammeState, paint: Paint): string[] {
  const rows = [
    ['', 'accuracy', '95 % interval', 'right', 'gate', 'time', 'decision'].map((title) => paint.soft(title)),
    ...(state.baseEvaluation ? [['Base', ...accuracyCells(state.baseEvaluation), '', '', '']] : []),
    ...state.phases.map((attempt) => {
      const verdict = attempt.evidence?.verdict ?? '';
      const tone = verdict === 'pass' ? paint.good : verdict === 'fail' ? paint.bad : paint.unsure;
      const decision = decisionOf(state, attempt);
      const name = `Phase ${attemptName(attempt)}`;
      const decided = decision ? decisionWords(decision) : '';
      return [
        name,
        ...accuracyCells(headlineOf(attempt)),
        verdict === '' ? '' : tone(verdict),
        duration(attempt.gpuSeconds),
        decision?.override ? paint.bad(decided) : decided,
      ];
    }),
  ];
  const elapsed = (Date.parse(state.finishedAt ?? state.startedAt) - Date.parse(state.startedAt)) / 1000;
  const { teacherUsd, teacherCalls, judgeUsd = 0, judgeCalls = 0, gpuSeconds } = state.spent;
  const ledger = runLedger([...state.phases, ...(state.ablation?.arms ?? [])], [], gpuHourUsdOf(state.recipe));
  const simulated = state.teacher !== null && /simulated/iu.test(state.teacher.name);
  return [
    `${paint.strong(oneLine(state.run, 80))} (${oneLine(state.recipeName, 40)}): ${stageTone(state, paint)}${state.conclusion === null ? '' : ` – ${oneLine(state.conclusion, 400)}`}`,
    '',
    ...textTable(rows, [1, 2, 3, 5]),
    '',
    ...(state.ablation ? [...ablationText(state.ablation, paint), ''] : []),
    `Time     ${state.finishedAt === null ? 'under way' : duration(elapsed)}, of which ${duration(gpuSeconds)} on the training device`,
    `Cost     ${usd(teacherUsd)} for ${count(teacherCalls)} teacher calls${simulated ? paint.unsure(' (the teacher was simulated)') : ''}${judgeCalls === 0 ? '' : `, ${usd(judgeUsd)} for ${count(judgeCalls)} verdicts`}${capWords(state)}`,
    ...teacherLines(state),
    ...(ledger.lost === 0 ? [] : [`Losses   ${lossWords(ledger)}`]),
    ...(state.stage === 'failed' ? [`Go on    ratchet resume ${state.run}, once the cause is mended`] : []),
    `Report   ${state.report === null ? 'none yet' : state.report.path}`,
  ];
}

/** What the teacher's responses came to, problems by kind among them; wordings by their names. */
const teacherLines = ({ teacher }: ProgrammeState): string[] =>
  (teacher ? responseLines(teacher.report) : []).map((line, index) =>
    index === 0 ? `Teacher  ${line.replace(/^teacher /, '')}` : `         ${oneLine(line, 400)}`,
  );

function stageTone(state: ProgrammeState, paint: Paint): string {
  if (state.stage === 'done') return paint.good('done');
  return state.stage === 'failed' ? paint.bad('failed') : paint.unsure(state.stage);
}

function accuracyCells(evaluation: EvaluationSummary | undefined): string[] {
  if (!evaluation || evaluation.n === 0) return ['–', '', ''];
  const { estimate, low, high } = wilson(evaluation.correct, evaluation.n, 0.95);
  return [percent(estimate), percentRange(low, high), `${String(evaluation.correct)}/${String(evaluation.n)}`];
}
