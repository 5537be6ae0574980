import { createHmac } from 'node:crypto';
import type { Environment } from '../../config/overrides.ts';
import type { GateNotice } from '../../domain/gate-notice.ts';
import type { OrchestratorActivities } from '../contract.ts';
import { failure } from '../failure.ts';

/** Longer than any receiver that only takes a note should need. */
const ANSWER_WITHIN_MS = 10_000;

/**
 * Posts a notice as JSON. `x-ratchet-signature` is `sha256=` and the hex HMAC-SHA256 of `<x-ratchet-timestamp>.<body>` with
 * the secret; `x-ratchet-delivery` is the same for every try of one notice, so that a receiver can drop repetitions.
 *
 * @throws WebhookRefused (permanent) on 4xx or without the secret, WebhookUnavailable otherwise
 */
export const createNotifyGate =
  (environment: Environment, now: () => Date): OrchestratorActivities['notifyGate'] =>
  async ({ url, secretEnv, notice }) => {
    const secret = environment[secretEnv];
    if (!secret)
      throw failure('WebhookRefused', `gates.webhook: ${secretEnv} is not set here, so nothing can be signed`);
    // The rest of such an address is often its secret.
    const place = URL.parse(url)?.origin ?? 'its url';
    const body = JSON.stringify(notice);
    const timestamp = now().toISOString();
    const signature = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
    const response = await fetch(url, {
      method: 'POST',
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      headers: {
        'content-type': 'application/json',
        'x-ratchet-timestamp': timestamp,
        'x-ratchet-signature': `sha256=${signature}`,
        'x-ratchet-delivery': deliveryOf(notice),
      },
    }).catch((cause: unknown) => {
      throw failure('WebhookUnavailable', `gates.webhook: ${place} cannot be reached`, { cause });
    });
    await response.body?.cancel();
    if (response.ok) return;
    const passing = response.status >= 500 || response.status === 408 || response.status === 429;
    throw failure(
      passing ? 'WebhookUnavailable' : 'WebhookRefused',
      `gates.webhook: ${place} answered ${response.status}`,
    );
  };

/** What is no part of a header's alphabet is encoded, as in a URL. */
const deliveryOf = ({ run, gate, attempt, evidence, reminder, kind }: GateNotice): string =>
  `${encodeURIComponent(run.toWellFormed())}/${gate}${attempt}/${evidence.slice(0, 12)}/${reminder}-${kind}`;
