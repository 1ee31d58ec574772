/** Fetches key sets for the core, which decides when and parses the response. */
import type { FetchKeySet } from './issuers-config.cjs';

/** The longest response that is read; the core rejects shorter ones too. */
const MAX_LENGTH = 512 * 1024;

/** The core's own timeout is shorter; this one ends abandoned requests. */
const TIMEOUT_MS = 60_000;

/** The function that the core calls: takes a URL and returns JSON text. The promise never rejects. */
export function fetching(fetchKeySet: FetchKeySet): (url: string) => Promise<string> {
  return async (url) => {
    try {
      const response = await fetchKeySet(url, {
        headers: { accept: 'application/jwk-set+json, application/json' },
        // Only the configured URL is trusted.
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
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
    if (text.length > MAX_LENGTH) throw new Error('the response is too long');
  }
  return text + decoder.decode();
}

/** With the cause, because `fetch` itself says only "fetch failed". */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
