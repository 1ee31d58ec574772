// A signed-in user: a browser or an app that holds a pair of tokens. All its tabs share the pair. `at` is the server process
// of the peer that a request goes to: `a` or `b`.
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * How often a refresh is repeated while the server asks for that or cannot be reached, and the time between: together longer
 * than a grace period of 10 s, in which an older token is answered so.
 */
const ATTEMPTS = 80;
const BETWEEN = 250;

export class User {
  #peer;
  #address;
  tokens;

  constructor(peer, number) {
    this.#peer = peer;
    this.name = `user-${number}`;
    this.#address = `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
  }

  async login(at) {
    this.tokens = await this.#peer.client.login(this.#via(at), this.name);
  }

  /** Someone who has stolen the tokens, on another machine. */
  thief(number) {
    const thief = new User(this.#peer, number);
    thief.tokens = { ...this.tokens };
    return thief;
  }

  /** Presents the refresh token once. Returns the new tokens, if granted, without keeping them. */
  async present(at, extras) {
    const { tokens } = await this.#peer.client.refresh(this.#via(at, extras), this.tokens);
    return tokens;
  }

  /** Refreshes as a client does: keeps the new tokens; repeats if asked to. Returns false after a final refusal: sign in. */
  async refresh(at, extras) {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const answer = await this.#peer.client.refresh(this.#via(at, extras), this.tokens).catch(failedToConnect);
      if (answer.tokens) this.tokens = answer.tokens;
      if (!answer.retry) return answer.tokens !== undefined;
      await sleep(BETWEEN);
    }
    throw new Error(`${this.#peer.name}: a refresh is neither granted nor refused`);
  }

  /** Whose the access token is, or undefined if it is refused. */
  whose(at) {
    return this.#peer.client.user(this.#via(at), this.tokens);
  }

  logout(at) {
    return this.#peer.client.logout(this.#via(at), this.tokens);
  }

  #via(at, { headers, fields } = {}) {
    const all = { 'x-forwarded-for': this.#address, ...headers };
    return (method, path, options) =>
      this.#peer[at].connections.send(method, path, { ...options, headers: { ...all, ...options.headers }, fields });
  }
}

function failedToConnect(error) {
  if (error.code === undefined) throw error;
  return { retry: true };
}
