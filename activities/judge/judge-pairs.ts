import { teacherPrice } from '../../config/check-recipe.ts';
import { calibrationOf, calibrationPairs } from '../../domain/calibration.ts';
import type { PairToJudge } from '../../domain/calibration.ts';
import { canonicalJson } from '../../domain/canonical.ts';
import { trackCopies } from '../../domain/copies.ts';
import { resolveJudgeTemplates } from '../../domain/judge-prompt.ts';
import { combineOrders, countPairs, exactVerdict } from '../../domain/judging.ts';
import type { JudgedPair, Judgement } from '../../domain/judging.ts';
import { controlLength } from '../../domain/length-control.ts';
import { priceOf } from '../../domain/prices.ts';
import type { JudgeIdentity, JudgeSummary } from '../../domain/question-quality.ts';
import type { Draft, Question } from '../../domain/records.ts';
import type { ApiActivities } from '../contract.ts';
import { failure } from '../failure.ts';
import { folderOf, payerOf } from '../scope.ts';
import { sha256 } from '../store/files.ts';
import { withShelves } from '../store/shelf.ts';
import type { Store } from '../store/store.ts';
import type { Answered } from '../teacher/answer.ts';
import { askStage } from '../teacher/ask-stage.ts';
import { lookBack } from '../teacher/books.ts';
import type { TeacherDeps } from '../teacher/open-stage.ts';
import { greetServer } from '../teacher/greet-server.ts';
import { listStored } from '../teacher/known-responses.ts';
import { trackProgress } from '../teacher/progress.ts';
import { namesOf } from '../teacher/simulated.ts';
import { connectJudge } from './connect-judge.ts';
import { isStructured, judgeReading, judgeRequests } from './judge-requests.ts';
import type { JudgeRequest } from './judge-requests.ts';

/**
 * Compares the clarifying questions of two sets of drafts, and checks the judge with pairs whose answer is known. Answers
 * are stored before they are used, as the teacher's: whoever asks again pays only for what is missing.
 *
 * @throws as `askTeacher`; InvalidData when an item of `after` has no question or no draft in `before`
 */
export const createJudgePairs =
  ({ store, openai, paceOf }: TeacherDeps): ApiActivities['judgePairs'] =>
  async ({ scope, budget, recipe, name, ...refs }) => {
    const { judge } = recipe;
    if (judge === undefined) throw failure('InvalidRecipe', 'judge: the recipe has none');
    const connection = connectJudge(openai, judge);
    const questions = await store.rows<Question>(refs.questions);
    const { simulated, told } = await greetServer(connection, questions);
    const price = priceOf(judge.model, simulated ? 'free' : teacherPrice(judge));
    if (price === null) throw failure('InvalidRecipe', `judge.price: no price is known for ${judge.model}`);
    const templates = resolveJudgeTemplates(judge.templates);
    const { official, server: asked } = connection;
    const server = { simulated, official, server: asked, seed: recipe.seed };
    const compared = await pairsOf(store, questions, refs);
    const known = calibrationPairs(questions, judge.calibrationItems, recipe.seed);
    const plans = [...compared, ...known].map((pair) =>
      planOf(pair, (asked) => judgeRequests(judge, templates, asked, server)),
    );
    // Two pairs may be the same by their texts: that is one request.
    const requests = [...new Map(plans.flatMap((plan) => plan.requests.map((one) => [one.digest, one]))).values()];
    const folder = folderOf(scope);
    const { answered, paidUsd } = await withShelves(store, async (newShelf) => {
      const progress = trackProgress(requests.length, 'verdicts');
      try {
        const asked = await askStage(store, paceOf, newShelf, {
          ...{ requests: { count: requests.length, each: () => requests }, reading: judgeReading, progress },
          payer: `${payerOf(scope)}/${name}`,
          stored: listStored(store, requests.length),
          before: await lookBack(store, folder),
          costOf: (judgeUsd) => ({ judgeUsd }),
          ...{ folder, recipe, settings: judge, connection, simulated, told, price, budget },
        });
        return { ...asked, answered: [...asked.answered] };
      } finally {
        progress.end();
      }
    });
    const judgements = byRequest(answered);
    const pairs = plans.map((plan) => judgedPair(plan, judgements));
    const identity: JudgeIdentity = {
      name: namesOf(
        answered.map(({ model }) => model),
        judge.model,
        simulated,
      ),
      promptDigest: sha256(canonicalJson(templates)),
      ...{ temperature: judge.temperature, maxTokens: judge.maxTokens, bothOrders: judge.bothOrders },
      structuredOutput: isStructured(judge, server),
    };
    return {
      verdicts: await store.putRows(`${folder}/verdicts-${name}.jsonl`, pairs),
      summary: summaryOf(identity, pairs),
      costUsd: paidUsd,
      calls: answered.filter(({ model, response }) => model !== null && !response.reused).length,
      reused: answered.filter(({ response }) => response.reused).length,
    };
  };

/** Judgements by the digest of their request; a copy of another one is none: its answer was to another question or order. */
function byRequest(answered: readonly Answered<Judgement>[]): Map<string, Judgement> {
  const copies = trackCopies();
  return new Map(
    answered.map(({ response, completionId }) => {
      const { requestDigest, said, reason } = response;
      const isCopy = copies.isCopy({ completionId, requestDigest, text: `${String(said)} ${reason}` });
      return [requestDigest, isCopy ? { ...response, said: null, problem: 'copied' } : response];
    }),
  );
}

type Plan = { pair: PairToJudge; exact: JudgedPair['verdict']; requests: JudgeRequest[] };

function planOf(pair: PairToJudge, requests: (pair: PairToJudge) => JudgeRequest[]): Plan {
  const exact = exactVerdict(pair.before, pair.after);
  return { pair, exact, requests: exact === null ? requests(pair) : [] };
}

/** What the student asked before and after, on the items of `after`. */
async function pairsOf(
  store: Store,
  questions: readonly Question[],
  refs: Pick<Parameters<ApiActivities['judgePairs']>[0], 'before' | 'after'>,
): Promise<PairToJudge[]> {
  const [before, after] = await Promise.all([store.rows<Draft>(refs.before), store.rows<Draft>(refs.after)]);
  const texts = new Map(questions.map(({ id, question }) => [id, question]));
  const earlier = new Map(before.map((draft) => [draft.id, draft]));
  return after.map((draft) => {
    const [question, old] = [texts.get(draft.id), earlier.get(draft.id)];
    if (question === undefined || old === undefined) {
      throw failure(
        'InvalidData',
        `draft ${draft.id} has no ${question === undefined ? 'question' : 'draft before it'}`,
      );
    }
    return { id: draft.id, question, before: old.questions ?? '', after: draft.questions ?? '' };
  });
}

function judgedPair({ pair, exact, requests }: Plan, answers: ReadonlyMap<string, Judgement>): JudgedPair {
  const judgements = requests.map(({ digest, afterFirst }): Judgement => {
    const found = answers.get(digest);
    if (found === undefined) throw new Error(`Request ${digest} was neither answered nor failed.`);
    return { ...found, afterFirst };
  });
  return {
    ...pair,
    beforeChars: pair.before.length,
    afterChars: pair.after.length,
    by: exact === null ? 'judge' : 'exact',
    judgements,
    ...(exact === null ? combineOrders(judgements) : { verdict: exact, flipped: null }),
  };
}

/** Everything that follows from the rows of the artefact; the gate counts again before it believes it. */
export function summaryOf(judge: JudgeIdentity, pairs: readonly JudgedPair[]): JudgeSummary {
  const compared = pairs.filter(({ known }) => known === undefined);
  const known = pairs.filter((pair) => pair.known !== undefined);
  const decided = compared.flatMap(({ by, verdict, beforeChars, afterChars }) =>
    by === 'judge' && verdict !== null ? [{ verdict, beforeChars, afterChars }] : [],
  );
  return {
    judge,
    compared: countPairs(compared),
    lengthControl: controlLength(decided, 0.95),
    calibration: known.length === 0 ? null : calibrationOf(known),
  };
}
