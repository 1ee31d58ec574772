// Worker threads verify and refresh in a loop; half of them are terminated midway.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
const { createAuth } = require('regrant');

const WORKERS = 4;
const REFRESHES = 40;

const [secret, store, refreshes] = isMainThread ? process.argv.slice(2) : workerData;
const auth = createAuth({ secret, store });

async function work() {
  let pair = await auth.login('worker');
  parentPort.postMessage('started');
  for (let turn = 0; turn < refreshes; turn += 1) {
    const renewing = auth.refresh(pair.refreshToken);
    for (let call = 0; call < 200; call += 1) auth.verify(pair.accessToken);
    pair = await renewing;
  }
  parentPort.postMessage('done');
}

async function main() {
  for (let round = 0; round < 6; round += 1) {
    // Those that are to be terminated go on until they are, however late that is.
    const lengths = Array.from({ length: WORKERS }, (_, place) => (place % 2 ? Infinity : REFRESHES));
    const workers = lengths.map((refreshes) => new Worker(__filename, { workerData: [secret, store, refreshes] }));
    const outcomes = workers.map(async (worker, place) => {
      const messages = [];
      worker.on('message', (message) => messages.push(message));
      const ended = once(worker, 'exit');
      if (place % 2) {
        await once(worker, 'message');
        await worker.terminate();
      }
      const [code] = await ended;
      return [code, messages.at(-1)];
    });
    for (const [place, [code, last]] of (await Promise.all(outcomes)).entries()) {
      if (place % 2) assert.notEqual(last, 'done', 'the worker must be terminated midway');
      else assert.deepEqual([code, last], [0, 'done']);
    }
    const pair = await auth.login('main');
    assert.equal(auth.verify((await auth.refresh(pair.refreshToken)).accessToken).sub, 'main');
  }
  console.log('done');
}

(isMainThread ? main : work)();
