import { LineCounter, isMap, isPair, isScalar, isSeq, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import { refusal } from './problem.ts';
import type { FieldPath } from './recipe-fields.ts';

/** A recipe as written: plain values, and where each field stands. */
export type RecipeText = {
  values: unknown;
  /** `demo.yaml:14`, or the file alone where the field is not written. */
  whereIs(path: FieldPath): string;
};

/**
 * Parses YAML (JSON is a part of it) and remembers the lines.
 *
 * @param file name for messages
 * @throws InvalidRecipe with the line of the first fault
 */
export function parseRecipeText(text: string, file: string): RecipeText {
  const lines = new LineCounter();
  const document = parseDocument(text, { merge: true, lineCounter: lines, prettyErrors: false });
  const fault = document.errors[0];
  if (fault) {
    const problem = `not YAML: ${fault.message.split('\n')[0] ?? ''}`;
    const where = `${file}:${lines.linePos(fault.pos[0]).line}`;
    throw refusal([{ type: 'InvalidRecipe', field: 'recipe', where, problem, fix: 'correct that line' }]);
  }
  return {
    values: document.toJS() as unknown,
    whereIs: (path) => {
      const offset = offsetOf(document, path);
      return offset === undefined ? file : `${file}:${lines.linePos(offset).line}`;
    },
  };
}

/** Offset of the key that writes a field, else of the nearest block around it. */
function offsetOf(document: Document, path: FieldPath): number | undefined {
  let node: unknown = document.contents;
  let offset: number | undefined;
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(key),
      );
      if (!pair || !isScalar(pair.key)) return offset;
      offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof key === 'number') {
      node = node.items[key];
      offset = (node as { range?: [number, number, number] } | undefined)?.range?.[0] ?? offset;
    } else return offset;
  }
  return offset;
}
