/** Shorter ids are none: some servers give all of their answers the same one. */
const shortestId = 3;

/** An answer with the id that its server gave it, and the digest of the request that it is stored under. */
export type Numbered = { completionId?: string | undefined; requestDigest: string; text: string };

/** FNV-1a, 32 bits: tells texts of one id and length apart. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let place = 0; place < text.length; place += 1) hash = Math.imul(hash ^ text.charCodeAt(place), 0x01000193);
  return hash;
}

/**
 * Finds answers that are one answer: the same id and text under two requests, as a cache on the way gives them. The first is
 * taken for the original. Memory holds some 100 bytes an answer.
 */
export function trackCopies() {
  const seen = new Map<string, string>();
  return {
    isCopy({ completionId, requestDigest, text }: Numbered): boolean {
      if (completionId === undefined || completionId.length < shortestId) return false;
      const key = `${completionId} ${text.length} ${hashOf(text)}`;
      const first = seen.get(key);
      const request = requestDigest.slice(0, 16);
      if (first === undefined) seen.set(key, request);
      return first !== undefined && first !== request;
    },
  };
}
