import { defaultPayloadConverter } from '@temporalio/common';
import type { Payload, PayloadConverter, SerializationContext } from '@temporalio/common';

/**
 * Temporal's own converter, but for what cannot be read among the messages and inputs of a workflow: broken JSON, an
 * encoding that nobody knows. The SDK would fail the workflow's task over it, again and again, and the run could not even be
 * cancelled. Here it becomes a text, which the handlers refuse like any other. The result of an activity is never guessed.
 */
export const payloadConverter: PayloadConverter = {
  toPayload: (value, context, hint) => defaultPayloadConverter.toPayload(value, context, hint),
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the SDK's own signature
  fromPayload<T>(payload: Payload, context?: SerializationContext): T {
    try {
      return defaultPayloadConverter.fromPayload<T>(payload, context);
    } catch (error) {
      if (context?.type !== 'workflow') throw error;
      return 'a message that cannot be read: send plain JSON (json/plain)' as T;
    }
  },
};
