import type { Remedies } from '../../domain/gate-types.ts';
import { significant } from './quantities.ts';

/** `filtering keep-all, balance upsample, one template for training and evaluation`. */
export function remedyWords(remedies: Remedies): string {
  const { filtering, consensusAttempts, balance, sharedTemplate, learningRate, epochs, earlyStopping, templates } =
    remedies;
  const words = [
    filtering && `filtering ${filtering}${consensusAttempts ? ` of ${String(consensusAttempts)} attempts` : ''}`,
    !filtering && consensusAttempts !== undefined && `${String(consensusAttempts)} teacher attempts`,
    balance && `balance ${balance}`,
    sharedTemplate !== undefined &&
      (sharedTemplate ? 'one template for training and evaluation' : 'separate templates'),
    learningRate !== undefined && `learning rate ${significant(learningRate)}`,
    epochs !== undefined && `${significant(epochs)} epochs`,
    earlyStopping && `early stopping after ${String(earlyStopping.patienceEpochs)} epochs without improvement`,
    templates && `new wording of ${Object.keys(templates).join(', ')}`,
  ].filter((word) => typeof word === 'string' && word !== '');
  return words.length === 0 ? 'nothing changed' : words.join(', ');
}
