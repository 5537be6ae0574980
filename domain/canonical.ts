/** Hex sha256 of a text's UTF-8 bytes. Handed in, because domain has no Node. */
export type Sha256 = (text: string) => string;

const canonical = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(
    entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, member]) => [key, canonical(member)]),
  );
};

/** JSON with sorted keys and without undefined members: equal values give equal text. */
export const canonicalJson = (value: unknown): string => JSON.stringify(canonical(value));
