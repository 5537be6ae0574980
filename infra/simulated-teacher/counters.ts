/** What it has done since it started. */
export type TeacherStats = {
  requests: number;
  /** Whole answers generated, whoever was left to read them: what a provider would bill. */
  answered: number;
  /** Whole answers to a request that had been answered before. */
  paidTwice: number;
  /** Requests being answered now. */
  inFlight: number;
  mostInFlight: number;
  /** Refused by the limits of requests or tokens per minute. */
  limited: number;
  faults: Record<string, number>;
  /** Different requests seen, of which the oldest are forgotten beyond a bound. */
  distinct: number;
  forgotten: number;
};

/** Per request digest: how often it came, how often it was answered whole. */
export type DigestCount = { requests: number; answered: number };

/** Some 100 bytes each. */
const mostDigests = 500_000;

/** Counts requests in all and by digest, in bounded memory. */
export function createCounters(most = mostDigests) {
  const byDigest = new Map<string, DigestCount>();
  const totals = { requests: 0, answered: 0, paidTwice: 0, inFlight: 0, mostInFlight: 0, limited: 0, forgotten: 0 };
  const faults: Record<string, number> = {};
  const of = (digest: string): DigestCount => {
    const known = byDigest.get(digest);
    if (known) return known;
    const fresh = { requests: 0, answered: 0 };
    byDigest.set(digest, fresh);
    const oldest = byDigest.size > most ? byDigest.keys().next().value : undefined;
    if (oldest !== undefined) {
      byDigest.delete(oldest);
      totals.forgotten += 1;
    }
    return fresh;
  };
  return {
    /** @returns the how many-th time this request comes, from 1 */
    came(digest: string): number {
      totals.requests += 1;
      totals.inFlight += 1;
      totals.mostInFlight = Math.max(totals.mostInFlight, totals.inFlight);
      return (of(digest).requests += 1);
    },
    left(): void {
      totals.inFlight -= 1;
    },
    answered(digest: string): void {
      const count = of(digest);
      count.answered += 1;
      totals.answered += 1;
      if (count.answered > 1) totals.paidTwice += 1;
    },
    limited(): void {
      totals.limited += 1;
    },
    fault(kind: string): void {
      faults[kind] = (faults[kind] ?? 0) + 1;
    },
    stats: (): TeacherStats => ({ ...totals, distinct: byDigest.size, faults: { ...faults } }),
    digests: (): Record<string, DigestCount> => Object.fromEntries(byDigest),
  };
}
export type Counters = ReturnType<typeof createCounters>;
