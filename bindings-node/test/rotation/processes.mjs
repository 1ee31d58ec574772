// Starts two processes of one app with a shared session file, and calls them over IPC.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('process.mjs', import.meta.url));

/** A child process that serves calls. `end` waits for pending calls. */
class Running {
  #child;
  #waiting = new Map();
  #next = 0;
  #idle = () => {};

  static async start(config) {
    const running = new Running();
    running.#child = fork(program, [JSON.stringify(config)]);
    running.#child.on('message', ({ id, ...answer }) => running.#settle(id, answer));
    await once(running.#child, 'message');
    return running;
  }

  #settle(id, { value, code }) {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    if (code === undefined) waiting.resolve(value);
    else waiting.reject(Object.assign(new Error(code), { code }));
    if (this.#waiting.size === 0) this.#idle();
  }

  call(call, ...args) {
    return new Promise((resolve, reject) => {
      this.#waiting.set(this.#next, { resolve, reject });
      this.#child.send({ id: this.#next, call, args });
      this.#next += 1;
    });
  }

  async end() {
    if (this.#waiting.size > 0) await new Promise((resolve) => (this.#idle = resolve));
    const gone = once(this.#child, 'exit');
    this.#child.disconnect();
    await gone;
  }
}

/** Starts both processes with the shared `config`. */
export async function startTwo(config, keys) {
  const both = [await Running.start({ ...config, ...keys }), await Running.start({ ...config, ...keys })];
  return {
    call: (which, ...call) => both[which].call(...call),
    /** Replaces a process as a rolling restart does: starts the new one before it ends the old one. */
    async replace(which, newKeys) {
      const before = both[which];
      both[which] = await Running.start({ ...config, ...newKeys });
      await before.end();
    },
    end: () => Promise.all(both.map((one) => one.end())),
  };
}
