// oidc-provider with a Redis adapter and a public client (a web page), for which it rotates at every refresh and revokes
// the grant at reuse. It has no option for a grace period. A grant type of its own stands for the login with redirects.
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';
import { SECRET, bearer, connectRedis, oauthClient } from '../http.mjs';

export const name = 'oidc-provider';
export const packages = ['oidc-provider', 'ioredis'];
export const setting =
  'public client: rotation (the default), reuse revokes the grant, no grace period; opaque access tokens; Redis';

const CLIENT = 'page';

export function listener(address) {
  const redis = connectRedis(address);
  const provider = new Provider('http://127.0.0.1', {
    adapter: (model) => new RedisAdapter(redis, model),
    clients: [
      {
        client_id: CLIENT,
        token_endpoint_auth_method: 'none',
        grant_types: ['password', 'refresh_token'],
        redirect_uris: [],
        response_types: [],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    cookies: { keys: [SECRET] },
    features: { devInteractions: { enabled: false }, revocation: { enabled: true } },
    findAccount: (ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    jwks: { keys: [generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })] },
    ttl: { AccessToken: 900, Grant: 14 * 24 * 3600, RefreshToken: 14 * 24 * 3600 },
  });
  provider.registerGrantType('password', (ctx) => login(provider, ctx), ['username']);

  const handle = provider.callback();
  return async (req, res) => {
    if (req.url !== '/me') return handle(req, res);
    const token = await provider.AccessToken.find((req.headers.authorization ?? '').slice('Bearer '.length));
    res.statusCode = token?.isValid ? 200 : 401;
    res.setHeader('content-type', 'application/json').end(JSON.stringify({ user: token?.accountId }));
  };
}

async function login(provider, ctx) {
  const { client, params } = ctx.oidc;
  const accountId = params.username;
  const grant = new provider.Grant({ accountId, clientId: client.clientId });
  grant.addOIDCScope('offline_access');
  const source = { accountId, client, grantId: await grant.save(), gty: 'password', scope: 'offline_access' };
  const access = new provider.AccessToken(source);
  const refresh = new provider.RefreshToken({ ...source, rotations: 0 });
  ctx.body = { access_token: await access.save(), refresh_token: await refresh.save(), token_type: 'Bearer' };
}

/** The store that oidc-provider asks an app to write: one hash per token, and for each grant the list of its tokens. */
class RedisAdapter {
  #redis;
  #model;

  constructor(redis, model) {
    this.#redis = redis;
    this.#model = model;
  }

  #key(id) {
    return `oidc:${this.#model}:${id}`;
  }

  async upsert(id, payload, expiresIn) {
    const key = this.#key(id);
    const transaction = this.#redis.multi().hset(key, { payload: JSON.stringify(payload) }).expire(key, expiresIn);
    if (payload.grantId) {
      const tokens = tokensOf(payload.grantId);
      transaction.rpush(tokens, key).expire(tokens, expiresIn, 'NX').expire(tokens, expiresIn, 'GT');
    }
    await transaction.exec();
  }

  async find(id) {
    const { payload, ...rest } = await this.#redis.hgetall(this.#key(id));
    return payload && { ...JSON.parse(payload), ...rest };
  }

  async consume(id) {
    await this.#redis.hset(this.#key(id), 'consumed', Math.floor(Date.now() / 1000));
  }

  async destroy(id) {
    await this.#redis.del(this.#key(id));
  }

  async revokeByGrantId(grantId) {
    const tokens = tokensOf(grantId);
    await this.#redis.del(tokens, ...(await this.#redis.lrange(tokens, 0, -1)));
  }
}

const tokensOf = (grantId) => `oidc:grant-tokens:${grantId}`;

export const client = {
  ...oauthClient({ path: '/token', fields: { client_id: CLIENT } }),
  logout: (send, { refresh }) =>
    send('POST', '/token/revocation', { form: { client_id: CLIENT, token: refresh, token_type_hint: 'refresh_token' } }),
  user: async (send, { access }) => (await send('GET', '/me', { headers: bearer(access) })).body?.user,
};
