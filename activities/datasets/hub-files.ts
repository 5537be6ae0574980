import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { failure } from '../failure.ts';

/** A data set on the Hugging Face hub; `path` is a file in it, or `config`, `split` or `config/split`; none = its training rows. */
export type HubSource = { repo: string; revision: string; path: string | undefined };

/** @throws InvalidData when the text is not `hf://owner/name[@revision][/path/in/repo]` */
export function parseHubSource(source: string): HubSource {
  const match = /^hf:\/\/([\w.-]+\/[\w.-]+?)(?:@([\w.-]+))?(?:\/(.+?)\/?)?$/.exec(source);
  const path = match?.[3];
  if (!match || path?.split('/').some((part) => part === '' || part === '.' || part === '..'))
    throw failure(
      'InvalidData',
      `${source} is no data set; write hf://owner/name or hf://owner/name/path/in/repo.json`,
    );
  return { repo: match[1] ?? '', revision: match[2] ?? 'main', path };
}

const isReadable = (path: string): boolean => /\.(?:jsonl?|ndjson)$/i.test(path);
const isTable = (path: string): boolean => /\.(?:parquet|arrow|csv|tsv|txt|zip|gz|zst|bz2|xz|tar|tgz|7z)$/i.test(path);
const isGlob = (path: string): boolean => /[*?]/.test(path);

/** Whether a path names files, rather than a configuration or a split. */
export const namesFile = (path: string): boolean => isReadable(path) || isTable(path) || isGlob(path);

/** @throws InvalidData where a file is named that is not read yet: Parquet, CSV, or a compressed one */
export function refuseTable(path: string, { repo }: HubSource): void {
  if (isReadable(path)) return;
  const kind = /[^.]*$/.exec(path)?.[0] ?? '';
  throw failure(
    'InvalidData',
    `${path} of data set ${repo} is ${kind}, which is not read; convert it to JSON Lines, or name a JSON file`,
  );
}

/** Files beside the data that describe it. */
const described =
  /^(?:(?:dataset_?(?:info|infos|dict|card)|state|config|configs|configuration|metadata|meta|schema|croissant|package|package-lock|tokenizer\w*|special_tokens_map|added_tokens|vocab|generation_config|preprocessor_config|constraints|licen[cs]e|readme|stats|statistics|features|labels?|label2id|id2label|tsconfig|manifest|croissant[\w-]*)\.json[l]?)$/i;
const isDescription = (path: string): boolean =>
  path.split('/').some((part) => part.startsWith('.')) || described.test(path.split('/').at(-1) ?? '');

const splitNames: Readonly<Record<string, string>> = {
  train: 'train',
  training: 'train',
  validation: 'validation',
  valid: 'validation',
  val: 'validation',
  dev: 'validation',
  test: 'test',
  testing: 'test',
  eval: 'test',
  evaluation: 'test',
};

/** Words of a name: `constraints.json` has no `train` in it. */
const wordsOf = (name: string): string[] =>
  name
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((word) => word !== '');
const splitIn = (name: string): string | undefined =>
  wordsOf(name)
    .map((word) => splitNames[word])
    .find((split) => split !== undefined);

/** Files that are one set of rows. `stem` is the same for all shards of one. */
type Group = { config: string; split: string | null; stem: string; files: string[] };

function placeOf(path: string): Omit<Group, 'files'> {
  const parts = path.split('/');
  const base = parts.pop() ?? '';
  const folders = parts.filter((part) => part.toLowerCase() !== 'data' && splitIn(part) === undefined);
  const ofFolder = parts
    .toReversed()
    .map(splitIn)
    .find((split) => split !== undefined);
  const stem = base.replace(/\.(\w+)$/, '').replace(/[-_.]?\d{1,6}(?:[-_]of[-_]\d{1,6})?$/i, '');
  return {
    config: folders.join('/') || 'default',
    split: splitIn(base) ?? ofFolder ?? null,
    stem: `${parts.join('/')}/${stem}${/\.\w+$/.exec(base)?.[0] ?? ''}`,
  };
}

function groupsOf(files: readonly string[]): Group[] {
  const groups = new Map<string, Group>();
  for (const file of files) {
    const place = placeOf(file);
    const group = groups.get(place.stem) ?? { ...place, files: [] };
    group.files.push(file);
    groups.set(place.stem, group);
  }
  return [...groups.values()];
}

const Patterns = z.union([z.string(), z.array(z.string())]);
const Card = z.object({
  configs: z.array(
    z.object({
      config_name: z.string(),
      data_files: z.union([Patterns, z.array(z.object({ split: z.string(), path: Patterns }))]).optional(),
    }),
  ),
});

const escaped = (text: string): string => text.replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`);

/** Paths that a pattern of the hub names: `data/train-*.json`, `**` over folders. */
export function matching(files: readonly string[], pattern: string): string[] {
  const parts = pattern
    .split(/(\*\*\/|\*\*|\*|\?)/)
    .map((part) => ({ '**/': '(?:.*/)?', '**': '.*', '*': '[^/]*', '?': '[^/]' })[part] ?? escaped(part));
  const expression = new RegExp(`^${parts.join('')}$`);
  return files.filter((file) => expression.test(file));
}

/** The sets of rows that a data set's card (README.md) declares; none where it declares none that can be read. */
function declaredIn(card: string | null, files: readonly string[]): Group[] {
  const front = /^---\r?\n([\s\S]*?)\r?\n---/.exec(card ?? '')?.[1];
  if (front === undefined) return [];
  let values: unknown;
  try {
    values = parseYaml(front);
  } catch {
    return [];
  }
  const parsed = Card.safeParse(values);
  if (!parsed.success) return [];
  const groups = parsed.data.configs.flatMap(({ config_name: config, data_files: given = [] }) => {
    const entries = [given]
      .flat()
      .map((entry) => (typeof entry === 'string' ? { split: 'train', path: entry } : entry));
    const bySplit = Map.groupBy(entries, ({ split }) => split);
    return [...bySplit].map(([split, named]): Group => {
      const found = named.flatMap(({ path }) => [path].flat().flatMap((pattern) => matching(files, pattern)));
      return { config, split, stem: `${config}/${split}`, files: [...new Set(found)] };
    });
  });
  return groups.filter(({ files: own }) => own.some(isReadable));
}

/** @throws InvalidData naming the shard that is missing */
function whole(files: readonly string[], what: string): string[] {
  const shards = files.flatMap((file) => {
    const match = /^(.*?)(\d{1,6})[-_]of[-_](\d{1,6})(\.\w+)$/i.exec(file);
    return match ? [{ stem: match[1] ?? '', number: Number(match[2]), of: Number(match[3]) }] : [];
  });
  for (const [stem, own] of Map.groupBy(shards, (shard) => shard.stem)) {
    const { of } = own[0] ?? { of: 0 };
    const numbers = new Set(own.map(({ number }) => number));
    const start = numbers.has(0) ? 0 : 1;
    const missing = Array.from({ length: of }, (_, index) => index + start).find((number) => !numbers.has(number));
    if (own.some((shard) => shard.of !== of) || missing !== undefined)
      throw failure(
        'InvalidData',
        `${what} is not whole: of ${of} shards of ${stem}* there are ${own.length}; upload the missing ones, or name the files`,
      );
  }
  return [...files].sort();
}

/** `a, b, c and 4 more`. */
const listed = (names: readonly string[]): string =>
  `${names.slice(0, 10).join(', ')}${names.length > 10 ? ` and ${names.length - 10} more` : ''}`;

/**
 * The files that a source names, all shards of them. Metadata beside the data is no data.
 *
 * @param files all paths of the data set
 * @param card its README.md, which may declare configurations; null = none
 * @throws InvalidData with the list where nothing that can be read is there, or several are meant
 */
export function chooseFiles(hub: HubSource, files: readonly string[], card: string | null): string[] {
  const { repo, revision, path } = hub;
  const what = `data set ${repo}@${revision}`;
  if (path !== undefined && isGlob(path)) {
    const found = matching(files, path);
    if (found.length > 0 && found.every(isReadable)) return whole(found, what);
    throw failure('InvalidData', `${what} has no JSON files at ${path}; check the pattern`);
  }
  const data = files.filter((file) => !isDescription(file));
  const readable = data.filter(isReadable);
  const declared = declaredIn(card, files);
  const groups = declared.length > 0 ? declared : groupsOf(readable);
  if (groups.length === 0) {
    const list = listed(data.length > 0 ? data : files);
    const convert = data.some(isTable) ? ' of a JSON or JSON Lines file, or convert these to JSON Lines' : '';
    throw failure(
      'InvalidData',
      `${what} has no JSON file of training rows (it has ${list || 'no files'}); write hf://${repo}/PATH${convert}`,
    );
  }
  const chosen = chooseGroup(groups, hub);
  const other = chosen.files.find((file) => !isReadable(file));
  if (other !== undefined)
    throw failure(
      'InvalidData',
      `${other} of ${what} is no JSON; convert it to JSON Lines, or write hf://${repo}/PATH of one`,
    );
  return whole(chosen.files, what);
}

function chooseGroup(groups: readonly Group[], { repo, revision, path }: HubSource): Group {
  const what = `data set ${repo}@${revision}`;
  const configs = [...new Set(groups.map(({ config }) => config))];
  const named = configs
    .filter((config) => path === config || path?.startsWith(`${config}/`))
    .sort((a, b) => b.length - a.length)[0];
  const rest = named === undefined ? path : path?.slice(named.length + 1) || undefined;
  const config = named ?? (configs.length === 1 ? configs[0] : configs.find((one) => one === 'default'));
  const choices = groups.map(
    (group) =>
      `hf://${repo}/${[group.config === 'default' && configs.length === 1 ? '' : group.config, group.split ?? ''].filter((part) => part !== '').join('/')}`,
  );
  if (config === undefined)
    throw failure(
      'InvalidData',
      `${what} has several configurations (${listed(configs)}); write one of ${listed([...new Set(choices)])}`,
    );
  const own = groups.filter((group) => group.config === config);
  const wanted = rest === undefined ? undefined : (splitNames[rest.toLowerCase()] ?? rest);
  const split = wanted ?? (own.some((group) => group.split === 'train') ? 'train' : undefined);
  const inSplit = split === undefined ? own : own.filter((group) => group.split === split);
  if (inSplit.length === 0)
    throw failure('InvalidData', `${what} has no ${path ?? 'rows'}; write one of ${listed([...new Set(choices)])}`);
  const exact = inSplit.filter(
    ({ stem }) =>
      split !== undefined &&
      wordsOf(
        stem
          .split('/')
          .at(-1)
          ?.replace(/\.\w+$/, '') ?? '',
      ).every((word) => splitNames[word] === split),
  );
  const [only, ...others] = exact.length === 1 ? exact : inSplit;
  if (only !== undefined && others.length === 0) return only;
  const paths = inSplit.flatMap(({ files }) => files.slice(0, 1));
  throw failure(
    'InvalidData',
    `${what} has no JSON file of training rows that is the only one (it has ${listed(paths)}); write one of ${listed(paths.map((file) => `hf://${repo}/${file}`))}`,
  );
}
