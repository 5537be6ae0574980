/** More characters than this without a line end are no line of data. Well below the longest string that V8 can hold. */
const MOST_CHARS = 256 * 1024 * 1024;

/** Input that goes on without a line end for longer than any line may be. */
export class LineTooLong extends Error {
  override name = 'LineTooLong';
}

/**
 * Lines of JSON Lines data (files, sockets, downloads, the output of a program): the only reader of them. Without their
 * ends (`\n` or `\r\n`), and without a byte order mark at the start. Empty lines come as they are.
 *
 * Not by readline: to that a U+2028, which JSON leaves as it is in strings, ends a line, and it does not hear of a stream
 * that breaks off or is destroyed.
 *
 * @param chunks UTF-8 as bytes, cut anywhere, or as text
 * @throws LineTooLong; the stream's own error, also where it is destroyed without one (`ERR_STREAM_PREMATURE_CLOSE`)
 */
export async function* linesOf(
  chunks: AsyncIterable<string | Uint8Array>,
  mostChars = MOST_CHARS,
): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  // A line of many chunks is put together once: adding each to a growing text would copy it again for every chunk.
  let parts: string[] = [];
  let held = 0;
  let isStart = true;
  const whole = (end: string): string => {
    const line = parts.length === 0 ? end : parts.join('') + end;
    [parts, held] = [[], 0];
    return line.endsWith('\r') ? line.slice(0, -1) : line;
  };
  for await (const chunk of chunks) {
    let text = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    if (text === '') continue;
    if (isStart && text.startsWith('\uFEFF')) text = text.slice(1);
    isStart = false;
    const lines = text.split('\n');
    const rest = lines.pop() ?? '';
    for (const end of lines) yield whole(end);
    parts.push(rest);
    held += rest.length;
    if (held > mostChars) throw new LineTooLong(`a line is longer than ${mostChars} characters`);
  }
  const last = whole(decoder.decode());
  if (last !== '') yield last;
}
