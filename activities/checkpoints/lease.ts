import { z } from 'zod';
import { failure } from '../failure.ts';
import { untilWritten } from '../store/conditional.ts';
import { placeOf } from '../store/storage-failure.ts';
import type { Store } from '../store/store.ts';
import { MetricsSegment } from './metrics-parts.ts';

const Ref = z.object({ uri: z.string(), sha256: z.string(), bytes: z.number(), rows: z.number() });

const Checkpoint = z.object({
  step: z.int().min(0).describe('Optimizer steps done.'),
  epoch: z.int().min(1).describe('Attempt that wrote it.'),
  manifest: Ref,
  evalLoss: z.number().nullable().optional().describe('Held-out loss as last measured before it, nats per token.'),
  metrics: z.array(MetricsSegment).optional().describe('Where the metrics up to its step are, oldest first.'),
});

/**
 * Place of an attempt among all at one training: by the moment at which Temporal scheduled its activity, and within that by
 * Temporal's count of tries.
 */
const Turn = z.object({
  scheduledAt: z.number().describe("Unix milliseconds, by Temporal's clock."),
  attempt: z.int().min(1),
});
export type Turn = z.infer<typeof Turn>;

/**
 * `lease.json`: the only object of a training that ever changes, and only by compare-and-swap. It says who may write
 * (`epoch`, `owner`) and what counts (`checkpoints`, `final`): a checkpoint whose manifest is not named here is litter.
 */
const LeaseRecord = z.object({
  version: z.literal(1),
  epoch: z.int().min(1).describe('Attempts so far; each takes the next number.'),
  owner: z.string().describe('Host, process and a random part.'),
  takenAt: z.string(),
  turn: Turn.nullable().default(null).describe('Of the owner; null = it is not known.'),
  checkpoints: z.array(Checkpoint).describe('By step, ascending.'),
  microBatch: z
    .int()
    .min(1)
    .nullable()
    .describe('Rows per micro-batch, once memory forced it below that of the recipe.'),
  final: z.unknown().nullable().describe('Result of the finished training.'),
});
export type LeaseRecord = z.infer<typeof LeaseRecord>;
export type Checkpoint = z.infer<typeof Checkpoint>;

/** An attempt's right to write below `prefix`, as long as no later attempt took it. */
export type Lease = {
  readonly prefix: string;
  readonly epoch: number;
  readonly owner: string;
  /** As last read or written. */
  record: () => LeaseRecord;
  /** @throws LeaseLost when a later attempt holds it, StorageUnavailable when nobody can say */
  check: () => Promise<void>;
  /** Changes the record atomically. @throws LeaseLost: then nothing was changed */
  update: (change: (record: LeaseRecord) => LeaseRecord) => Promise<LeaseRecord>;
};

const keyOf = (prefix: string): string => `${prefix}/lease.json`;

/** The record below a prefix; null where no attempt ever began. @throws ArtefactDamaged */
export async function readLease(store: Store, prefix: string): Promise<{ record: LeaseRecord; etag: string } | null> {
  const found = await store.getJson(keyOf(prefix));
  if (found === null) return null;
  const parsed = LeaseRecord.safeParse(found.value);
  if (parsed.success) return { record: parsed.data, etag: found.etag };
  const where = store.uriOf(keyOf(prefix));
  throw failure(
    'ArtefactDamaged',
    `${where} is not a lease: ${z.prettifyError(parsed.error)}; remove it to start again`,
  );
}

/** Clocks of hosts may differ by so much. A turn that lies further ahead was given by a clock that was wrong. */
const CLOCKS_MS = 10 * 60_000;

function isLater({ turn }: LeaseRecord, mine: Turn): boolean {
  if (turn === null || turn.scheduledAt > Date.now() + CLOCKS_MS) return false;
  return turn.scheduledAt === mine.scheduledAt ? turn.attempt > mine.attempt : turn.scheduledAt > mine.scheduledAt;
}

/**
 * Takes the lease below `prefix` from whoever held it, with the next epoch. Temporal decides which attempt is the live one,
 * the lease makes sure that the others find out: one that was started earlier never takes it from one that was started
 * later, however late it comes (a host that was paused, say). Of equals the later taker wins.
 *
 * @param owner must be unlike that of any other attempt
 * @param turn null = not known: takes it from anybody
 * @throws LeaseLost where an attempt that was started later holds it, StorageUnavailable when it cannot be taken
 */
export async function openLease(store: Store, prefix: string, owner: string, turn: Turn | null = null): Promise<Lease> {
  const where = placeOf(store.uriOf(keyOf(prefix)));
  return untilWritten(where, 'the lease could not be taken, since other workers or the server keep it', async () => {
    const before = await readLease(store, prefix);
    if (turn !== null && before !== null && isLater(before.record, turn)) {
      const { epoch, owner: other } = before.record;
      throw failure(
        'LeaseLost',
        `${store.uriOf(keyOf(prefix))}: epoch ${epoch} belongs to ${other}, which was started after this attempt`,
      );
    }
    const fresh = { version: 1 as const, checkpoints: [], microBatch: null, final: null };
    const takenAt = new Date().toISOString();
    const record = { ...(before?.record ?? fresh), epoch: (before?.record.epoch ?? 0) + 1, owner, takenAt, turn };
    const etag = await store.objects.swap(keyOf(prefix), text(record), before?.etag ?? null);
    if (etag !== null) return holdLease(store, prefix, record, etag);
    // The swap may have succeeded and its answer been lost; then the record is ours already.
    const now = await readLease(store, prefix);
    return now?.record.owner === owner ? holdLease(store, prefix, now.record, now.etag) : null;
  });
}

/**
 * Takes the checkpoints of a finished training out of its record, since its result stands without them.
 *
 * @returns those that ceased to count; none where the record changed meanwhile
 */
export async function forgetCheckpoints(store: Store, prefix: string): Promise<Checkpoint[]> {
  const found = await readLease(store, prefix);
  if (found === null || found.record.final === null) return [];
  const etag = await store.objects.swap(keyOf(prefix), text({ ...found.record, checkpoints: [] }), found.etag);
  return etag === null ? [] : found.record.checkpoints;
}

function holdLease(store: Store, prefix: string, taken: LeaseRecord, takenEtag: string): Lease {
  const { epoch, owner } = taken;
  let known = { record: taken, etag: takenEtag };

  const refresh = async (): Promise<void> => {
    const before = known;
    const found = await readLease(store, prefix);
    if (found?.record.owner === owner && found.record.epoch === epoch) {
      // A swap of our own may have got in between; then what was read is older than what is known.
      if (known === before) known = found;
      return;
    }
    const now = found === null ? 'it was removed' : `epoch ${found.record.epoch} belongs to ${found.record.owner}`;
    throw failure('LeaseLost', `${store.uriOf(keyOf(prefix))}: epoch ${epoch} of ${owner} is over, ${now}`);
  };

  const swapOnce = async (change: (record: LeaseRecord) => LeaseRecord): Promise<boolean> => {
    const record = change(known.record);
    const etag = await store.objects.swap(keyOf(prefix), text(record), known.etag);
    if (etag === null) return false;
    known = { record, etag };
    return true;
  };

  /** One change after the other: two of them must not start from the same version. */
  let queue: Promise<unknown> = Promise.resolve();
  const update: Lease['update'] = (change) => {
    const turn = queue.then(() => {
      const where = placeOf(store.uriOf(keyOf(prefix)));
      return untilWritten(where, 'a change of the lease was refused although nobody else writes it', async () => {
        if (await swapOnce(change)) return known.record;
        // Ours still, so the other version is our own swap whose answer was lost. `change` must bear being repeated.
        await refresh();
        return null;
      });
    });
    queue = turn.catch(() => undefined);
    return turn;
  };

  return { prefix, epoch, owner, record: () => known.record, check: () => queue.then(refresh), update };
}

const text = (record: LeaseRecord): string => `${JSON.stringify(record, null, 2)}\n`;
