// The HTTP API of the testbed, documented in README.md.

import { replay, steal } from './theft.mjs';

/** The request handler of the control, which hands out `unused` one by one. */
export function controlOver({ accessTtl, grace }, unused) {
  const proxies = new Map();

  function open(faults) {
    const id = String(proxies.size + 1);
    const proxy = unused[proxies.size];
    if (!proxy) throw new Error(`all ${unused.length} proxies are in use: raise PROXIES`);
    proxy.setFaults(faults);
    proxies.set(id, proxy);
    return [201, { id, url: proxy.url, accessTtl, grace }];
  }

  async function of(proxy, method, what, body) {
    switch (`${method} ${what}`) {
      case 'GET counts':
        return [200, proxy.counts()];
      case 'DELETE counts':
        proxy.resetCounts();
        return [204];
      case 'PUT faults':
        proxy.setFaults(body);
        return [204];
      case 'POST steal':
        return [200, await steal(proxy, grace)];
      case 'POST replay':
        return [200, await replay(proxy, grace)];
      default:
        return [404, { problem: 'unknown operation' }];
    }
  }

  async function answer(request) {
    const [, lead, id, what] = request.url.split('/');
    if (lead === '') return [200, { accessTtl, grace, proxies: proxies.size }];
    const text = Buffer.concat(await request.toArray()).toString();
    const body = text ? JSON.parse(text) : {};
    if (lead !== 'proxies' || (id && !proxies.has(id))) return [404, { problem: 'no such proxy' }];
    return id ? of(proxies.get(id), request.method, what, body) : open(body);
  }

  return async (request, response) => {
    // Any error is a mistake in the test.
    const [status, body] = await answer(request).catch((error) => [400, { problem: error.message }]);
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(body && JSON.stringify(body));
  };
}
