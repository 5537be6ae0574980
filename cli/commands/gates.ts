import { choices } from '../../domain/decision-input.ts';
import { exitCodes } from '../exit-codes.ts';
import { decisionInput } from '../gates/decision-input.ts';
import type { DecisionOptions } from '../gates/decision-input.ts';
import { gatesText } from '../gates/evidence-text.ts';
import type { Choice, GateName } from '../../domain/gate-types.ts';
import { paintFor } from '../terminal.ts';
import { decisionWords } from '../watch/state-words.ts';
import { printJson, printLines, withProgrammes } from './command.ts';
import type { AddCommand } from './command.ts';
import { collect, dollars, gateOf, jsonOption, oneOf } from './options.ts';

/** `ratchet gates`: evidence of the gate that waits, and what was decided before. */
export const addGates: AddCommand = (program, context, exit) => {
  program
    .command('gates')
    .description('the gate that waits, with its evidence, and all decisions')
    .argument('<run>', 'name of the run')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExamples:\n  ratchet gates demo-20260301-101500\n  ratchet gates demo-20260301-101500 --json | jq .open.recommendation\n',
    )
    .action(async (run: string, options: { json?: boolean }) => {
      const view = await withProgrammes(context, (programmes) => programmes.gates(run));
      if (options.json) printJson(context, view);
      else printLines(context, gatesText(run, view, paintFor(context.terminal.colour)));
      exit(exitCodes.ok);
    });
};

/** `ratchet decide`: one decision, refused at once with the reason where it does not stand. */
export const addDecide: AddCommand = (program, context, exit) => {
  program
    .command('decide')
    .description('decide at the gate that waits')
    .argument('<run>', 'name of the run')
    .argument('<gate>', 'A, B, C or budget', gateOf)
    .argument('<choice>', choices.join(', '), oneOf(choices))
    .option('--by <name>', 'who decides (default: the user of this shell)')
    .option('--note <text>', 'why; needed for an override')
    .option('--set <remedy=value>', 'what fix or redesign changes; may be repeated; @file reads a file', collect)
    .option('--evidence <digest>', 'the evidence decided on; refused when the gate has other evidence by now')
    .option('--cap <usd>', 'the new cap of the run; goes with budget raise', dollars)
    .option('--override', 'approve although the gate did not pass; marked in every report')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  ratchet decide demo-20260301-101500 A approve
  ratchet decide demo-20260301-101500 B fix                                   the recommended remedies
  ratchet decide demo-20260301-101500 B fix --set balance=upsample --set filtering=keep-all
  ratchet decide demo-20260301-101500 B redesign --set templates.reasoning=@prompt.txt
  ratchet decide demo-20260301-101500 C approve --override --note "the ablation is close enough"
  ratchet decide demo-20260301-101500 budget raise --cap 12.50
`,
    )
    .action(async (run: string, gate: GateName, choice: Choice, options: DecisionOptions & { json?: boolean }) => {
      const decision = await withProgrammes(context, async (programmes) => {
        const { open } = await programmes.gates(run);
        return programmes.decide(run, decisionInput(gate, choice, open, options));
      });
      if (options.json) printJson(context, decision);
      else printLines(context, [`Gate ${gate}: ${decisionWords(decision)}`]);
      exit(exitCodes.ok);
    });
};
