import type { IncomingMessage, ServerResponse } from 'node:http';
import { readBody, send, sendError } from './http.ts';

/** A file as the API describes it, with its content. */
type StoredFile = {
  about: { id: string; object: 'file'; bytes: number; created_at: number; filename: string; purpose: string };
  text: string;
};

/** `/v1/files`: in memory, until deleted. */
export function createFiles() {
  const files = new Map<string, StoredFile>();
  let added = 0;
  const add = (filename: string, purpose: string, text: string): StoredFile['about'] => {
    added += 1;
    const about = {
      id: `file-simulated-${added}`,
      object: 'file' as const,
      bytes: Buffer.byteLength(text),
      created_at: Math.floor(Date.now() / 1000),
      filename,
      purpose,
    };
    files.set(about.id, { about, text });
    return about;
  };

  async function upload(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    const headers = { 'content-type': request.headers['content-type'] ?? '' };
    // Deprecated for servers that strangers send to; here it saves a dependency.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    const form = await new Response(new Uint8Array(body), { headers }).formData();
    const file = form.get('file');
    const purpose = form.get('purpose');
    if (!(file instanceof File) || typeof purpose !== 'string') {
      sendError(response, 400, 'a form with `file` and `purpose` is needed', 'invalid_request_error');
      return;
    }
    send(response, 200, add(file.name, purpose, await file.text()));
  }

  return {
    add,
    textOf: (id: string): string | undefined => files.get(id)?.text,

    /** Answers what is a route of files; false when it is none. */
    async serve(route: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
      if (route === 'POST /v1/files') {
        await upload(request, response);
        return true;
      }
      const [, method, id, content] = /^(GET|DELETE) \/v1\/files\/([^/]+)(\/content)?$/.exec(route) ?? [];
      if (method === undefined || id === undefined) return false;
      const file = files.get(id);
      if (file === undefined) sendError(response, 404, `no file ${id}`);
      else if (method === 'DELETE') {
        files.delete(id);
        send(response, 200, { id, object: 'file', deleted: true });
      } else if (content === undefined) send(response, 200, file.about);
      else response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(file.text);
      return true;
    },
  };
}
export type Files = ReturnType<typeof createFiles>;
