/**
 * Lines of a text that comes in chunks, without their ends. Not by readline: to that a U+2028, which JSON leaves as it is in
 * strings, ends a line, and it does not hear of a stream that breaks off.
 */
export async function* linesOf(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}
