import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { gateNames } from '../../domain/decision-input.ts';
import type { GateName } from '../../domain/gate-types.ts';
import { nearestName } from '../../domain/nearest.ts';

/** Options that several commands share. */
export const jsonOption = () => new Option('--json', 'print JSON for programs instead of text for people');
export const intervalOption = () =>
  new Option('--interval <seconds>', 'seconds between two looks').default(1).argParser((text) => {
    const seconds = Number(text);
    if (!(seconds >= 0.1 && seconds <= 3600)) throw new InvalidArgumentError('expected seconds from 0.1 to 3600.');
    return seconds;
  });

/** What {@link followOptions} are read as. */
export type FollowOptions = { detach?: boolean; down?: boolean; json?: boolean; interval: number };

/** Gives a command that starts a run what it takes to follow it, or not. */
export const followOptions = (command: Command): Command =>
  command
    .option('-d, --detach', 'start it and return')
    .option('--down', 'at the end, stop the embedded stack if this command started it')
    .addOption(jsonOption())
    .addOption(intervalOption());

/** Collects a repeatable option. */
export const collect = (value: string, earlier: string[] = []): string[] => [...earlier, value];

/** A parser for one of a few words, which names the nearest when it is another. */
export const oneOf =
  <Word extends string>(words: readonly Word[]) =>
  (text: string): Word => {
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    const near = text.length > 2 ? nearestName(text, words) : null;
    throw new InvalidArgumentError(`expected ${words.join(', ')}.${near === null ? '' : ` Did you mean ${near}?`}`);
  };

/** Gate names, in either case. */
export const gateOf = (text: string): GateName =>
  oneOf(gateNames)(text.length === 1 ? text.toUpperCase() : text.toLowerCase());

/** Dollars above 0; a dollar sign may stand before them. */
export function dollars(text: string): number {
  const usd = Number(text.replace(/^\$/u, ''));
  if (!(usd > 0 && Number.isFinite(usd))) throw new InvalidArgumentError('expected dollars, for example 12.50.');
  return usd;
}
