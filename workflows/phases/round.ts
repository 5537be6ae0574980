import type { Round } from '../../domain/programme.ts';
import type { Purse } from '../purse.ts';
import { gpuTasks } from '../tasks.ts';
import { askTeacher } from '../teacher-batches.ts';
import { attemptRecipe } from './phase.ts';
import type { PhaseInput, PhaseResult } from './phase.ts';

/** What the pairs of an attempt at Phase C are made from; `round` is absent in the first round. */
export type PairSources = Pick<PhaseInput['drafts'], 'train'> &
  Pick<PhaseInput['teacher'], 'responses'> & { round?: Round; gpuSeconds: number } & Pick<
    PhaseResult,
    'teacherUsd' | 'teacherCalls'
  >;

/**
 * In the first round the run's own drafts and responses. Later the model that the round starts from drafts the training
 * questions anew. Where pairs quote the teacher's whole response, which speaks of the draft, the teacher is asked again:
 * the draft is part of the request, so that another draft is another request and costs. Where only its final answer is
 * taken, the responses stay. Drafts of the held-out questions stay in any case, so that rounds are compared on one set
 * of prompts.
 */
export async function pairSources(input: PhaseInput, purse: Purse): Promise<PairSources> {
  const { run, data, drafts, teacher, adapter, round } = input;
  const nothing = { gpuSeconds: 0, teacherUsd: 0, teacherCalls: 0 };
  if (round === undefined) return { train: drafts.train, responses: teacher.responses, ...nothing };

  const recipe = attemptRecipe(input);
  const questions = data.train;
  const scope = { run, phase: 'C', attempt: input.attempt } as const;
  const drafted = await gpuTasks(recipe.reliability, purse).generateDrafts({
    scope,
    recipe,
    questions,
    adapter,
    name: 'train',
  });
  const asked =
    recipe.phaseC.chosen === 'full-response'
      ? await askTeacher(
          {
            scope: { run, phase: 'teacher', attempt: round.teacherStage },
            ...{ recipe, questions, drafts: drafted.drafts, attempts: teacher.attempts },
          },
          purse,
        )
      : null;
  const responses = asked?.responses ?? teacher.responses;
  return {
    train: drafted.drafts,
    responses,
    round: { number: round.number, try: round.try, drafts: drafted.drafts, draftReport: drafted.report, responses },
    gpuSeconds: drafted.gpuSeconds,
    teacherUsd: asked?.costUsd ?? 0,
    teacherCalls: asked?.calls ?? 0,
  };
}
