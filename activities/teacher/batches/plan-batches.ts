import { roomOf } from '../../../domain/budget.ts';
import { batchPriceOf, costUsd } from '../../../domain/prices.ts';
import type { TokenPrice } from '../../../domain/prices.ts';
import { intoFiles } from '../../../domain/teacher-batches.ts';
import type { ApiActivities, AskInput, BatchFile, BatchPlan } from '../../contract.ts';
import { failure } from '../../failure.ts';
import { withShelves } from '../../store/shelf.ts';
import type { NewShelf } from '../../store/shelf.ts';
import { atTheCap } from '../books.ts';
import { findAllKnown } from '../known-responses.ts';
import type { AllKnown } from '../known-responses.ts';
import { createLedger } from '../ledger.ts';
import { openStage } from '../open-stage.ts';
import type { TeacherDeps } from '../open-stage.ts';
import { trackProgress } from '../progress.ts';
import { numbered } from '../requests.ts';
import type { Requests, TeacherRequest } from '../requests.ts';
import { readCollected } from './collected.ts';
import type { Collected } from './collected.ts';
import { inputLine } from './lines.ts';
import type { InputLine } from './lines.ts';

/**
 * Writes the input files of a round: requests without a stored answer and without a fault that is their own. The most that
 * they can cost, at the batch price, must fit beneath the cap; files that do not fit beside the first wait for the next
 * round, when it is known what the others did cost.
 *
 * @throws BudgetExceeded when not even the first file fits, and the failures of {@link openStage}
 */
export const createPlanBatches =
  (deps: TeacherDeps): ApiActivities['planBatches'] =>
  (input) =>
    withShelves(deps.store, async (newShelf) => {
      const progress = trackProgress(input.questions.rows * input.attempts, 'planning batches');
      try {
        return await plan(deps, newShelf, input);
      } finally {
        progress.end();
      }
    });

async function plan(deps: TeacherDeps, newShelf: NewShelf, input: AskInput & { round: number }): Promise<BatchPlan> {
  const { store } = deps;
  const { recipe, round } = input;
  const { teacher } = recipe;
  const { requests, stored, payer, before, folder, ...opened } = await openStage(deps, newShelf, input);
  const collected = await readCollected(store, newShelf, input.batches ?? []);
  const known = await findAllKnown(store, newShelf, requests, { stored, collected, payer });
  await opened.told;
  const missing = await missingOf(requests, known, collected);
  const price = batchPriceOf(opened.price);
  const { capUsd, spentUsd } = roomOf(recipe, input.budget);
  const paidUsd = known.paidUsd + before.unansweredUsd;
  const ledger = createLedger(capUsd, spentUsd + paidUsd);
  const { maxRequestsPerFile, maxFileMegabytes } = teacher.batch;
  const walk = numbered(requests);
  const files: BatchFile[] = [];
  let deferred = 0;
  try {
    for (const lines of intoFiles(missing, { requests: maxRequestsPerFile, bytes: maxFileMegabytes * 1e6 })) {
      const worstUsd = worstOf(lines, teacher.maxTokens, price);
      if (!ledger.fits(worstUsd)) {
        if (files.length === 0) {
          const error = tooDear(capUsd, ledger.spentUsd, lines.length, worstUsd);
          const restUsd = worstOf(missing, teacher.maxTokens, price);
          throw atTheCap(error, { cost: { teacherUsd: paidUsd }, nextUsd: worstUsd, restUsd });
        }
        deferred += lines.length;
        continue;
      }
      await ledger.reserve(worstUsd);
      const name = `${round}-${files.length + 1}`;
      files.push({
        name,
        input: await store.putRows(`${folder}/batches/${name}.jsonl`, linesOfFile(lines, walk)),
        price,
      });
    }
  } finally {
    // Its last requests may not be among the missing: what it reads from would stay open.
    await walk.return(undefined);
  }
  return { files, deferred };
}

/** A request that is to be sent: its place in the stage, and its size. The request itself is made again when it is written. */
type Missing = { index: number; bytes: number; mostInputTokens: number };

async function missingOf(
  requests: Requests<TeacherRequest>,
  known: AllKnown,
  { faultOf }: Collected,
): Promise<Missing[]> {
  const missing: Missing[] = [];
  // Rows with one text are one request: a provider refuses a file in which an id stands twice.
  const asked = new Set<string>();
  for await (const { request, index } of numbered(requests)) {
    if (asked.has(request.digest)) continue;
    if (known.isAnswered(request, index) || faultOf(request.digest)?.again === false) continue;
    const bytes = Buffer.byteLength(JSON.stringify(inputLine(request))) + 1;
    asked.add(request.digest);
    missing.push({ index, bytes, mostInputTokens: request.mostInputTokens });
  }
  return missing;
}

/** @param walk goes through the requests once, over all files */
async function* linesOfFile(
  lines: readonly Missing[],
  walk: ReturnType<typeof numbered<TeacherRequest>>,
): AsyncGenerator<InputLine> {
  for (const { index } of lines) {
    let next = await walk.next();
    while (!next.done && next.value.index < index) next = await walk.next();
    if (next.done) throw new Error(`Request ${index} is gone.`);
    yield inputLine(next.value.request);
  }
}

/** The most that these can cost. */
const worstOf = (lines: readonly Missing[], maxTokens: number, price: TokenPrice): number => {
  const input = lines.reduce((sum, { mostInputTokens }) => sum + mostInputTokens, 0);
  return costUsd({ input, output: lines.length * maxTokens }, price);
};

const tooDear = (capUsd: number, spentUsd: number, requests: number, worstUsd: number) =>
  failure(
    'BudgetExceeded',
    `budget.capUsd: $${spentUsd.toFixed(4)} of $${capUsd.toFixed(4)} are spent, and a batch of ${requests} requests may cost $${worstUsd.toFixed(4)}. Nothing of it was sent; what was answered is kept. Fix: raise the cap at the budget gate, or lower teacher.batch.maxRequestsPerFile, so that less is reserved at once`,
  );
