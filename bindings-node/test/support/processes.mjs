// Starts processes of one app, and calls them over IPC.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A child process that serves calls. */
class Running {
  #child;
  #waiting = new Map();
  #next = 0;
  #idle = () => {};

  static async start(program, args) {
    const running = new Running();
    running.#child = fork(fileURLToPath(program), args);
    running.#child.on('message', ({ id, ...answer }) => running.#settle(id, answer));
    running.#child.once('exit', () => [...running.#waiting.keys()].forEach((id) => running.#settle(id, { code: 'the process has ended' })));
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

  /** Waits for the pending calls before it ends the process. */
  async end() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    if (this.#waiting.size > 0) await new Promise((resolve) => (this.#idle = resolve));
    const gone = once(this.#child, 'exit');
    this.#child.disconnect();
    await gone;
  }

  /** Kills the process (SIGKILL). */
  async kill() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }
}

/** Starts two processes of a program with the same arguments. */
export async function startTwo(program, args) {
  const both = [await Running.start(program, args), await Running.start(program, args)];
  return {
    call: (which, ...call) => both[which].call(...call),
    /** Replaces a process as a rolling restart does: starts the new one before it ends the old one. */
    async replace(which, newArgs) {
      const before = both[which];
      both[which] = await Running.start(program, newArgs);
      await before.end();
    },
    kill: (which) => both[which].kill(),
    end: () => Promise.all(both.map((one) => one.end())),
  };
}
