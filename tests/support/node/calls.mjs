// The other side of tests/support/src/node.rs: a program that tests call with lines of JSON on standard input, and that
// answers with lines of JSON.
import { createInterface } from 'node:readline';

/**
 * Serves calls until the end of the input, then ends the process.
 *
 * @param {(first: any) => Promise<(call: any) => Promise<object>>} start - Is given the first line, which is the
 * configuration; returns the function that answers calls.
 */
export async function serveCalls(start) {
  const answer = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const respond = await start(JSON.parse((await lines.next()).value));
  answer({ ready: true });
  for await (const line of lines) {
    const { id, ...call } = JSON.parse(line);
    respond(call).then((response) => answer({ id, ...response }));
  }
  // The pool of a database would keep the process.
  process.exit();
}
