// Two processes of one app over one file of sessions, and a way to call them.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('process.mjs', import.meta.url));

/** A process that serves calls until it is let go; then it ends what it has begun. */
class Running {
  #child;
  #waiting = new Map();
  #next = 0;
  #idle = () => {};

  static async start(config) {
    const running = new Running();
    running.#child = fork(program, [JSON.stringify(config)]);
    running.#child.on('message', ({ id, ...answer }) => running.#answered(id, answer));
    await once(running.#child, 'message');
    return running;
  }

  #answered(id, { value, code }) {
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

/** Both of them; `config` is what they have in common. */
export async function startTwo(config, keys) {
  const both = [await Running.start({ ...config, ...keys }), await Running.start({ ...config, ...keys })];
  return {
    call: (which, ...call) => both[which].call(...call),
    /** Another one takes its place, as a rolling restart does it: the new one first. */
    async replace(which, newKeys) {
      const before = both[which];
      both[which] = await Running.start({ ...config, ...newKeys });
      await before.end();
    },
    end: () => Promise.all(both.map((one) => one.end())),
  };
}
