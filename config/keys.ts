/** A key and the one place that it is sent to. */
export type BoundKey = {
  /** Environment variable that holds it. */
  variable: string;
  /** Scheme, host and port, as `URL.origin` writes them. */
  origin: string;
  key: string;
};

/** Where models are asked where a recipe names no server, and which key goes where. */
export type ModelServers = {
  baseUrl: string | undefined;
  /** Bound to the origin of `baseUrl`, without one to OpenAI's. */
  apiKey: string | undefined;
  /** Keys of other servers, at most one an origin. */
  keys?: readonly BoundKey[];
};

/** OpenAI's own API. */
export const openAiUrl = 'https://api.openai.com/v1';

/** Of a URL that was checked; anything else throws. */
export const originOf = (url: string): string => new URL(url).origin;

/** The key that a server gets; null = none. A key is for one origin: no other host, port or scheme is ever sent it. */
export function keyFor({ baseUrl, apiKey, keys = [] }: ModelServers, url: string): BoundKey | null {
  const origin = originOf(url);
  if (apiKey !== undefined && origin === originOf(baseUrl ?? openAiUrl))
    return { variable: 'OPENAI_API_KEY', origin, key: apiKey };
  return keys.find((bound) => bound.origin === origin) ?? null;
}

/** How to give a server a key, as a fix says it. */
export const bindingFor = (url: string): string => `RATCHET_KEY_NAME="${originOf(url)} KEY"`;

/**
 * Why a URL cannot be that of a server, in words that do not repeat it: it may hold a password. Null where it can.
 */
export function serverUrlProblem(url: string): { problem: string; fix: string } | null {
  const parsed = URL.parse(url);
  if (parsed === null) return { problem: 'is no URL', fix: 'write, for example, https://api.openai.com/v1' };
  if (parsed.protocol !== 'https:' && parsed.protocol !== 'http:')
    return { problem: `begins with ${parsed.protocol}`, fix: 'write a URL that begins with https:// or http://' };
  if (parsed.username !== '' || parsed.password !== '' || /^[^/]*\/\/[^/?#]*@/.test(url)) {
    const fix = `write ${parsed.origin} without what stands before the @, and bind the key: ${bindingFor(url)}`;
    return { problem: 'holds a user name or a password', fix };
  }
  return null;
}

const prefix = 'RATCHET_KEY_';
const example = `${prefix}TOGETHER="https://api.together.xyz KEY"`;

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The keys that an environment binds to servers by `RATCHET_KEY_<NAME>="<origin> <key>"`, and every variable that is
 * wrong, as `NAME what is wrong`. No value is repeated.
 */
export function readKeys(set: Variables): { keys: BoundKey[]; problems: string[] } {
  const keys: BoundKey[] = [];
  const problems = apiKeyProblems(set);
  const taken = new Map<string, string>();
  if (set['OPENAI_API_KEY'] && problems.length === 0)
    taken.set(originOf(set['OPENAI_BASE_URL'] || openAiUrl), 'OPENAI_API_KEY');
  for (const [variable, value = ''] of Object.entries(set)) {
    if (!variable.startsWith(prefix) || value.trim() === '') continue;
    const read = readBinding(value.trim());
    if ('wrong' in read) {
      problems.push(`${variable} ${read.wrong}`);
      continue;
    }
    const other = taken.get(read.origin);
    if (other !== undefined) {
      problems.push(`${variable} and ${other} are both bound to ${read.origin}. Keep one of them.`);
      continue;
    }
    taken.set(read.origin, variable);
    keys.push({ variable, ...read });
  }
  return { keys, problems };
}

function readBinding(value: string): { origin: string; key: string } | { wrong: string } {
  const [place = '', key, ...more] = value.split(/\s+/);
  if (key === undefined || more.length > 0)
    return { wrong: `must be an origin, a space and a key, such as ${example}.` };
  const url = URL.parse(place);
  if (url === null || serverUrlProblem(place) !== null)
    return { wrong: `does not begin with the origin of a server, as in ${example}.` };
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    return { wrong: `must name an origin alone, without a path: write ${url.origin}.` };
  if (url.host.includes('*')) return { wrong: 'must name one server: there are no wildcards.' };
  if (!isKey(key)) return { wrong: 'holds a key with characters that no header takes. Copy it again.' };
  return { origin: url.origin, key };
}

const isKey = (key: string): boolean => /^[\x21-\x7e]+$/.test(key);

/** Hosts of this machine: what is sent there passes no network. */
const isLoopback = ({ hostname }: URL): boolean =>
  hostname === 'localhost' ||
  hostname.endsWith('.localhost') ||
  hostname === '[::1]' ||
  /^127(?:\.\d{1,3}){3}$/.test(hostname);

function apiKeyProblems(set: Variables): string[] {
  const [baseUrl, apiKey] = [set['OPENAI_BASE_URL'], set['OPENAI_API_KEY']?.trim()];
  const problems: string[] = [];
  const wrong = baseUrl ? serverUrlProblem(baseUrl) : null;
  if (wrong !== null) problems.push(`OPENAI_BASE_URL ${wrong.problem}. Fix: ${wrong.fix}.`);
  if (!apiKey) return problems;
  if (!isKey(apiKey)) problems.push('OPENAI_API_KEY holds characters that no header takes. Copy it again.');
  const server = baseUrl && wrong === null ? new URL(baseUrl) : null;
  if (server?.protocol === 'http:' && !isLoopback(server)) {
    problems.push(
      `OPENAI_API_KEY would go over plain http to ${server.host}, where whoever is on the way reads it. Write https:// in OPENAI_BASE_URL; where http is meant, set ${bindingFor(server.href)} in place of OPENAI_API_KEY.`,
    );
  }
  return problems;
}
