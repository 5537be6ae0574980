import type { ArtefactRef, ResponseProblem } from '../../../domain/records.ts';
import type { NewShelf, Shelf } from '../../store/shelf.ts';
import type { Store } from '../../store/store.ts';
import type { StoredResponse } from '../response-store.ts';

/** Why a batch has no answer to a request; `again` = another try may have one. */
export type RowFault = { problem: ResponseProblem; message: string; again: boolean };

/** One request of a batch as it came back. `paidUsd` also counts answers that cannot be used. */
export type CollectedRow = { digest: string; paidUsd: number } & ({ response: StoredResponse } | { fault: RowFault });

/** Everything that the batches of a stage came to, by request digest. */
export type Collected = {
  responses: Pick<Shelf<string, StoredResponse>, 'has' | 'get'>;
  /** The newest, of a request without a response. */
  faultOf: (digest: string) => RowFault | undefined;
  paidUsd: number;
};

/** @param batches rows of {@link CollectedRow}, oldest first */
export async function readCollected(
  store: Store,
  newShelf: NewShelf,
  batches: readonly ArtefactRef[],
): Promise<Collected> {
  const responses = newShelf<string, StoredResponse>();
  const faults = newShelf<string, RowFault>();
  let paidUsd = 0;
  for (const batch of batches) {
    for await (const row of store.readRows<CollectedRow>(batch)) {
      paidUsd += row.paidUsd;
      if ('response' in row) responses.put(row.digest, row.response);
      else faults.put(row.digest, row.fault);
    }
  }
  return { responses, faultOf: (digest) => (responses.has(digest) ? undefined : faults.get(digest)), paidUsd };
}
