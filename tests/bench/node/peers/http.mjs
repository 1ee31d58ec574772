// HTTP requests to the servers of the peers, and what several adapters share.
import { Redis } from 'ioredis';
import { Pool } from 'undici';

export const SECRET = 'a secret of the benchmark: 32 bytes and more';

/** A connection that reconnects by itself; Redis is killed on purpose. */
export const connectRedis = (address) => new Redis(address).on('error', () => {});

/** Ten calls of each of twenty clients at once. */
const CONNECTIONS = 64;

/** The keep-alive connections to one server. */
export class Connections {
  #pool;

  constructor(port) {
    this.#pool = new Pool(`http://127.0.0.1:${port}`, { connections: CONNECTIONS, pipelining: 1 });
  }

  /** Sends a request with a JSON or form body, and with further `fields` in the body or, for GET, in the query. */
  async send(method, path, { headers, json, form, fields }) {
    const target = fields && method === 'GET' ? `${path}?${new URLSearchParams(fields)}` : path;
    const [type, body] = json
      ? ['application/json', JSON.stringify({ ...json, ...fields })]
      : form ? ['application/x-www-form-urlencoded', new URLSearchParams({ ...form, ...fields }).toString()] : [];
    const allHeaders = type ? { ...headers, 'content-type': type } : headers;
    const response = await this.#pool.request({ method, path: target, headers: allHeaders, body });
    const text = await response.body.text();
    const isJson = String(response.headers['content-type']).includes('json');
    return {
      status: response.statusCode,
      body: isJson && text ? JSON.parse(text) : undefined,
      cookies: cookiesOf(response.headers['set-cookie']),
    };
  }

  close() {
    return this.#pool.destroy();
  }
}

function cookiesOf(headers = []) {
  const lines = [headers].flat().map((line) => line.split(';')[0]);
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

export const bearer = (token) => ({ authorization: `Bearer ${token}` });

/** A refresh that is not granted is refused for good, unless the server has failed. */
const refused = (status) => ({ retry: status >= 500 });

/** The client of an app with JSON bodies. */
export const jsonClient = {
  login: async (send, user) => jsonTokens((await send('POST', '/login', { json: { user } })).body),
  async refresh(send, { refresh }) {
    const { status, body } = await send('POST', '/refresh', { json: { refreshToken: refresh } });
    return status === 200 ? { tokens: jsonTokens(body) } : refused(status);
  },
  logout: (send, { refresh }) => send('POST', '/logout', { json: { refreshToken: refresh } }),
  user: async (send, { access }) => (await send('GET', '/me', { headers: bearer(access) })).body?.user,
};

const jsonTokens = ({ accessToken, refreshToken }) => ({ access: accessToken, refresh: refreshToken });

/** Login and refresh at a token endpoint of OAuth 2.0. */
export function oauthClient({ path, fields }) {
  const tokensOf = ({ access_token: access, refresh_token: refresh }) => ({ access, refresh });
  return {
    async login(send, username) {
      return tokensOf((await send('POST', path, { form: { ...fields, grant_type: 'password', username } })).body);
    },
    async refresh(send, { refresh }) {
      const form = { ...fields, grant_type: 'refresh_token', refresh_token: refresh };
      const { status, body } = await send('POST', path, { form });
      return status === 200 ? { tokens: tokensOf(body) } : refused(status);
    },
  };
}
