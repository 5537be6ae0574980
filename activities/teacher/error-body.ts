/** What a server says is wrong, in the body of an answer. */
export type BodyError = {
  /** HTTP status that it stands for; null = the body tells none. */
  status: number | null;
  /** In the server's words; empty = none. */
  code: string;
  message: string;
};

type Json = Record<string, unknown>;
export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Codes and types of errors in words, without their case and what is between their words. */
const statusOf: Readonly<Record<string, number>> = {
  ...{ ratelimitexceeded: 429, ratelimiterror: 429, ratelimited: 429, ratelimit: 429, toomanyrequests: 429 },
  ...{ resourceexhausted: 429, throttling: 429, throttlingexception: 429, requestslimitexceeded: 429 },
  ...{ servererror: 500, internalerror: 500, internalservererror: 500, internal: 500, apierror: 500 },
  ...{ badgateway: 502, upstreamerror: 502, providererror: 502 },
  ...{ overloaded: 503, overloadederror: 503, modeloverloaded: 503, engineoverloaded: 503, engineoverloadederror: 503 },
  ...{ unavailable: 503, serviceunavailable: 503, serviceunavailableerror: 503, modelloading: 503 },
  ...{ timeout: 504, gatewaytimeout: 504, deadlineexceeded: 504, requesttimeout: 504 },
  ...{ authenticationerror: 401, invalidapikey: 401, unauthorized: 401, unauthenticated: 401 },
  ...{ insufficientquota: 402, insufficientbalance: 402, billingerror: 402, paymentrequired: 402 },
  ...{ permissionerror: 403, permissiondenied: 403, forbidden: 403 },
  ...{ modelnotfound: 404, notfounderror: 404, notfound: 404 },
  ...{ invalidrequesterror: 400, invalidargument: 400, badrequest: 400, badrequesterror: 400 },
  ...{ contextlengthexceeded: 400, contentfilter: 400, contentpolicyviolation: 400, validationerror: 422 },
};

const isStatus = (number: number): boolean => Number.isInteger(number) && number >= 400 && number < 600;

/** `429`, `"429"`, `"HTTP 429"`, `"rate_limit_exceeded"`. */
function asStatus(value: unknown): number | null {
  if (typeof value !== 'number' && typeof value !== 'string') return null;
  const number = Number(String(value).replace(/^\s*(?:http|error)?[\s_-]*/i, ''));
  if (isStatus(number)) return number;
  return (
    statusOf[
      String(value)
        .toLowerCase()
        .replace(/[^a-z]/g, '')
    ] ?? null
  );
}

/** A status that a message begins with, and what is said in words alone. */
function statusInWords(message: string): number | null {
  const first = /^\W{0,4}(?:(?:http|error|status)(?:[\s_-](?:code|error))?[\s:]{1,4})?([45]\d\d)\b/i.exec(message)?.[1];
  if (first !== undefined) return Number(first);
  if (/rate.?limit|too many requests/i.test(message)) return 429;
  if (/(?:invalid|incorrect|missing|no) api.?key|unauthori[sz]ed/i.test(message)) return 401;
  if (/\bmodel\b.{0,100}(?:not found|does not exist)/i.test(message)) return 404;
  return /overloaded|temporarily unavailable|service unavailable|at capacity|no healthy upstream/i.test(message)
    ? 503
    : null;
}

const longest = 1000;

/** Words of whatever shape: text, `{message}`, a list of complaints (FastAPI). Null = none. */
function wordsOf(value: unknown): string | null {
  if (typeof value === 'string') return value.trim() === '' ? null : value.trim().slice(0, longest);
  if (Array.isArray(value)) {
    const words = value.slice(0, 5).flatMap((part: unknown) => wordsOf(part) ?? []);
    return words.length === 0 ? null : words.join('; ').slice(0, longest);
  }
  if (!isObject(value)) return null;
  const own = wordsOf(value['message'] ?? value['msg'] ?? value['detail'] ?? value['error'] ?? value['status_msg']);
  const place: unknown = value['loc'];
  if (own !== null && Array.isArray(place)) return `${place.join('.')}: ${own}`;
  // A proxy's own words say less than those of the server behind it.
  const behind = isObject(value['metadata']) ? wordsOf(value['metadata']['raw']) : null;
  if (own !== null && behind !== null) return `${own}: ${behind}`.slice(0, longest);
  return own ?? (Object.keys(value).length === 0 ? null : JSON.stringify(value).slice(0, longest));
}

const codesOf = (value: unknown): unknown[] =>
  isObject(value) ? [value['code'], value['status'], value['status_code'], value['http_code'], value['type']] : [];

/**
 * The error that a body holds, in the shape of any server: `{error: {…}}`, `{error: "…"}`, `{detail: …}`, `{message: …}`, a list
 * of one of these. Null = it holds none.
 */
export function errorIn(raw: unknown): BodyError | null {
  const body: unknown = Array.isArray(raw) ? raw[0] : raw;
  if (!isObject(body)) return null;
  const { error, errors, base_resp: base } = body;
  const own =
    isObject(error) || typeof error === 'string' || Array.isArray(error)
      ? error
      : (errors ?? (isObject(base) && base['status_code'] !== 0 ? base : undefined));
  const words = wordsOf(own) ?? wordsOf(body['message'] ?? body['detail'] ?? body['msg'] ?? body['error_description']);
  if (words === null) return null;
  const codes = [...codesOf(own), ...codesOf(body)];
  const message = words;
  const status = codes.map(asStatus).find((found) => found !== null) ?? statusInWords(message);
  const code = codes.find((found) => typeof found === 'string' && Number.isNaN(Number(found)));
  return { status, code: typeof code === 'string' ? code : '', message };
}
