import { batchPriceOf, costUsd } from '../../../domain/prices.ts';
import type { TokenPrice } from '../../../domain/prices.ts';
import { intoFiles } from '../../../domain/teacher-batches.ts';
import type { ApiActivities, BatchFile } from '../../contract.ts';
import { failure } from '../../failure.ts';
import { atTheCap } from '../books.ts';
import { findKnown } from '../known-responses.ts';
import { createLedger } from '../ledger.ts';
import { openStage } from '../open-stage.ts';
import type { TeacherDeps } from '../open-stage.ts';
import { trackProgress } from '../progress.ts';
import type { TeacherRequest } from '../requests.ts';
import { readCollected } from './collected.ts';
import { inputLine } from './lines.ts';

/**
 * Writes the input files of a round: requests without a stored answer and without a fault that is their own. The most that
 * they can cost, at the batch price, must fit beneath the cap; files that do not fit beside the first wait for the next
 * round, when it is known what the others did cost.
 *
 * @throws BudgetExceeded when not even the first file fits, and the failures of {@link openStage}
 */
export const createPlanBatches =
  (deps: TeacherDeps): ApiActivities['planBatches'] =>
  async (input) => {
    const { store } = deps;
    const { recipe, round } = input;
    const { teacher, budget } = recipe;
    const progress = trackProgress(input.questions.rows * input.attempts, 'planning batches');
    try {
      const { requests, stored, payer, unansweredUsd, folder, ...opened } = await openStage(deps, input);
      const collected = await readCollected(store, input.batches ?? []);
      const known = await findKnown(store, requests, { stored, collected, payer });
      const missing = requests.flatMap((request, index) =>
        known.responses[index] || collected.faults.get(request.digest)?.again === false ? [] : [sized(request)],
      );
      const price = batchPriceOf(opened.price);
      const { capUsd, spentUsd } = input.budget ?? { capUsd: budget.capUsd, spentUsd: 0 };
      const paidUsd = known.paidUsd + unansweredUsd;
      const ledger = createLedger(capUsd, spentUsd + paidUsd);
      const { maxRequestsPerFile, maxFileMegabytes } = teacher.batch;
      const files: BatchFile[] = [];
      let deferred = 0;
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
        const rows = lines.map(({ request }) => inputLine(request));
        files.push({ name, input: await store.putRows(`${folder}/batches/${name}.jsonl`, rows), price });
      }
      return { files, deferred };
    } finally {
      progress.end();
    }
  };

const sized = (request: TeacherRequest) => ({
  request,
  bytes: Buffer.byteLength(JSON.stringify(inputLine(request))) + 1,
});

/** The most that these can cost. */
const worstOf = (lines: readonly { request: TeacherRequest }[], maxTokens: number, price: TokenPrice): number => {
  const input = lines.reduce((sum, { request }) => sum + request.mostInputTokens, 0);
  return costUsd({ input, output: lines.length * maxTokens }, price);
};

const tooDear = (capUsd: number, spentUsd: number, requests: number, worstUsd: number) =>
  failure(
    'BudgetExceeded',
    `budget.capUsd: $${spentUsd.toFixed(4)} of $${capUsd.toFixed(4)} are spent, and a batch of ${requests} requests may cost $${worstUsd.toFixed(4)}. Nothing of it was sent; what was answered is kept. Fix: raise the cap at the budget gate, or lower teacher.batch.maxRequestsPerFile, so that less is reserved at once`,
  );
