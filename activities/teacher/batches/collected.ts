import type { ArtefactRef, ResponseProblem } from '../../../domain/records.ts';
import type { Store } from '../../store/store.ts';
import type { StoredResponse } from '../response-store.ts';

/** Why a batch has no answer to a request; `again` = another try may have one. */
export type RowFault = { problem: ResponseProblem; message: string; again: boolean };

/** One request of a batch as it came back. `paidUsd` also counts answers that cannot be used. */
export type CollectedRow = { digest: string; paidUsd: number } & ({ response: StoredResponse } | { fault: RowFault });

/** Everything that the batches of a stage came to, by request digest. */
export type Collected = {
  responses: Map<string, StoredResponse>;
  /** The newest, of requests without a response. */
  faults: Map<string, RowFault>;
  paidUsd: number;
};

/** @param batches rows of {@link CollectedRow}, oldest first */
export async function readCollected(store: Store, batches: readonly ArtefactRef[]): Promise<Collected> {
  const collected: Collected = { responses: new Map(), faults: new Map(), paidUsd: 0 };
  for (const batch of batches) {
    for await (const row of store.readRows<CollectedRow>(batch)) {
      collected.paidUsd += row.paidUsd;
      if ('response' in row) {
        collected.responses.set(row.digest, row.response);
        collected.faults.delete(row.digest);
      } else if (!collected.responses.has(row.digest)) collected.faults.set(row.digest, row.fault);
    }
  }
  return collected;
}
