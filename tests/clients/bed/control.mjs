// The control: what a test asks the bed for. README.md has the list.

import { replay, steal } from './thief.mjs';

/** The request handler of the control, which gives out these lines one after the other. */
export function controlOver({ accessTtl, grace }, unused) {
  const lines = new Map();

  function open(faults) {
    const id = String(lines.size + 1);
    const line = unused[lines.size];
    if (!line) throw new Error(`there are no more than ${unused.length} lines: LINES says how many`);
    line.setFaults(faults);
    lines.set(id, line);
    return [201, { id, url: line.url, accessTtl, grace }];
  }

  async function of(line, method, what, body) {
    switch (`${method} ${what}`) {
      case 'GET counts':
        return [200, line.counts()];
      case 'DELETE counts':
        line.resetCounts();
        return [204];
      case 'PUT faults':
        line.setFaults(body);
        return [204];
      case 'POST steal':
        return [200, await steal(line, grace)];
      case 'POST replay':
        return [200, await replay(line, grace)];
      default:
        return [404, { problem: 'the control does not know this' }];
    }
  }

  async function answer(request) {
    const [, lead, id, what] = request.url.split('/');
    if (lead === '') return [200, { accessTtl, grace, lines: lines.size }];
    const text = Buffer.concat(await request.toArray()).toString();
    const body = text ? JSON.parse(text) : {};
    if (lead !== 'lines' || (id && !lines.has(id))) return [404, { problem: 'there is no such line' }];
    return id ? of(lines.get(id), request.method, what, body) : open(body);
  }

  return async (request, response) => {
    // Whatever is wrong here is wrong with the test that asked.
    const [status, body] = await answer(request).catch((error) => [400, { problem: error.message }]);
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(body && JSON.stringify(body));
  };
}
