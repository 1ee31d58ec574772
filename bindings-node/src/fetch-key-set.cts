/** Fetches key sets for the core, which decides when, and what to make of the answer. */
import type { FetchKeySet } from './issuers-config.cjs';

/** More than any set has; the core refuses longer ones. */
const LONGEST = 512 * 1024;

/** The core gives up sooner; this ends what it does not wait for any more. */
const GIVE_UP_MS = 60_000;

/** What the core calls: an address in, JSON text out, never rejected. */
export function fetching(fetchKeySet: FetchKeySet): (url: string) => Promise<string> {
  return async (url) => {
    try {
      const response = await fetchKeySet(url, {
        headers: { accept: 'application/jwk-set+json, application/json' },
        // The address is the one that is trusted.
        redirect: 'error',
        signal: AbortSignal.timeout(GIVE_UP_MS),
      });
      const { status, headers } = response;
      return JSON.stringify({ response: { status, headers: [...headers], body: await textOf(response) } });
    } catch (error) {
      return JSON.stringify({ failed: reasonOf(error) });
    }
  };
}

async function textOf(response: Response): Promise<string> {
  let text = '';
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > LONGEST) throw new Error('the answer is too long');
  }
  return text + decoder.decode();
}

/** `fetch` says but "fetch failed", and why in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
