import * as http from 'node:http';

type Variables = Record<string, string | undefined>;

/** Never through a proxy: this machine, and what a cloud's machine asks about itself. */
const alwaysDirect = ['127.0.0.1', 'localhost', '::1', '169.254.169.254', 'metadata.google.internal'];

/** URLs of the proxies that an environment names, by what goes through them; null where it goes directly. */
export type Proxies = { http: string | null; https: string | null; direct: string[] };

/**
 * Reads `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, in large or small letters.
 *
 * @throws Error that names the variable and what it should be
 */
export function proxiesOf(env: Variables = process.env): Proxies {
  const off = env['NODE_USE_ENV_PROXY'] === '0';
  const own = (env['no_proxy'] || env['NO_PROXY'] || '').split(/[\s,]+/).filter((name) => name !== '');
  return {
    http: off ? null : proxyUrl(env, 'HTTP_PROXY'),
    https: off ? null : proxyUrl(env, 'HTTPS_PROXY'),
    direct: [...new Set([...own, ...alwaysDirect])],
  };
}

function proxyUrl(env: Variables, name: string): string | null {
  const text = env[name.toLowerCase()] || env[name];
  if (!text) return null;
  const withScheme = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : null;
  if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return withScheme;
  const shown = url ? `${url.protocol}//…` : '…';
  throw new Error(`${name}=${shown} is no proxy that ratchet can use. Set it to one like http://proxy.example:3128.`);
}

/**
 * Has everything in this process that speaks HTTP go through the proxies of the environment: fetch, Node's own client, and
 * the processes that are started from here, in whatever language. Changes the environment to say so in all its forms.
 *
 * @throws Error as {@link proxiesOf}
 */
export function useProxies(env: Variables = process.env): void {
  const { http: forHttp, https: forHttps, direct } = proxiesOf(env);
  if (forHttp === null && forHttps === null) return;
  const set: Variables = { NO_PROXY: direct.join(','), no_proxy: direct.join(','), NODE_USE_ENV_PROXY: '1' };
  if (forHttp !== null) Object.assign(set, { HTTP_PROXY: forHttp, http_proxy: forHttp });
  if (forHttps !== null) Object.assign(set, { HTTPS_PROXY: forHttps, https_proxy: forHttps });
  Object.assign(env, set);
  // Node before 24.14 has it for a process at its start alone, by the variable above.
  if (typeof http.setGlobalProxyFromEnv === 'function') http.setGlobalProxyFromEnv(set);
}

/** True where a request to this host goes through a proxy, as far as names and suffixes tell. */
export function isProxied(protocol: 'http:' | 'https:', hostname: string, proxies: Proxies = proxiesOf()): boolean {
  if ((protocol === 'http:' ? proxies.http : proxies.https) === null) return false;
  const host = hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return !proxies.direct.some((entry) => {
    const name = entry.toLowerCase().replace(/^\*?\./, '');
    return entry === '*' || host === name || host.endsWith(`.${name}`);
  });
}
