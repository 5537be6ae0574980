import { resolve } from 'node:path';

/** Folder of the public data that some tests read (`strategyqa/train.json`): `RATCHET_DATA`, else `shared/data` beside the checkout. */
export const dataFolder = process.env['RATCHET_DATA'] || resolve(import.meta.dirname, '../../../shared/data');
