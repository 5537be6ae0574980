/** So many redirects in a row are a circle. */
const mostRedirects = 5;

/**
 * `fetch` for one server: nothing is sent to another origin, whatever URL is asked and wherever a redirect leads, so that
 * neither key nor prompts leave the server that was named. Errors that are not in OpenAI's shape come out in it, with the
 * server's words.
 */
export const fetchWithin =
  (origin: string): typeof fetch =>
  async (input, init) => {
    let url = new URL(input instanceof Request ? input.url : input);
    for (let redirects = 0; redirects <= mostRedirects; redirects += 1) {
      if (url.origin !== origin) return misdirected(`the server sends on to ${url.origin}, and nothing is sent there`);
      const response = await fetch(url, { ...init, redirect: 'manual' });
      const target = targetOf(response, url);
      if (target === null) return response.ok ? response : await inOpenAiShape(response);
      await response.body?.cancel();
      // Other clients turn a POST into a GET here: that would ask something else.
      if (keepsMethod(response.status, init?.method)) url = target;
      else return misdirected(`the server answers ${response.status} and sends on to ${target.pathname}`);
    }
    return misdirected('the server sends on in a circle');
  };

function targetOf({ status, headers }: Response, from: URL): URL | null {
  const location = status >= 300 && status < 400 ? headers.get('location') : null;
  return location === null ? null : URL.parse(location, from.href);
}

const keepsMethod = (status: number, method = 'GET'): boolean =>
  status === 307 || status === 308 || method.toUpperCase() === 'GET';

/** 421 Misdirected Request, with why. */
const misdirected = (message: string): Response =>
  Response.json(
    { error: { message: `${message}. Name the right URL as baseUrl`, code: 'redirected' } },
    { status: 421 },
  );

/**
 * Servers say what is wrong as `{"detail": …}` (FastAPI), `{"message": …}` (vLLM, Mistral) or `{"error": "…"}` (Ollama); the
 * client reads `{"error": {"message": …}}` alone, and would lose the words.
 */
async function inOpenAiShape(response: Response): Promise<Response> {
  if (response.body === null) return response;
  const text = await response.text();
  const { status, statusText, headers } = response;
  return new Response(shaped(text) ?? text, { status, statusText, headers });
}

function shaped(text: string): string | null {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof body !== 'object' || body === null) return null;
  const { error, message, detail, code, param, type } = body as Record<string, unknown>;
  if (typeof error === 'object' && error !== null) return null;
  const words = error ?? message ?? detail ?? body;
  const said = typeof words === 'string' ? words : JSON.stringify(words);
  return JSON.stringify({ error: { message: said, code, param, type } });
}
