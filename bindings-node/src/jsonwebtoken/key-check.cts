/** Whether an asymmetric key fits an algorithm. */
import type { KeyObject } from 'node:crypto';

const algorithmsOf: Record<string, string[]> = {
  ec: ['ES256', 'ES384', 'ES512'],
  rsa: ['RS256', 'PS256', 'RS384', 'PS384', 'RS512', 'PS512'],
  'rsa-pss': ['PS256', 'PS384', 'PS512'],
};

const curveOf: Record<string, string> = { ES256: 'prime256v1', ES384: 'secp384r1', ES512: 'secp521r1' };

/** What is wrong with `key` for `algorithm`. Secrets, and no key at all, fit every algorithm here. */
export function mismatch(algorithm: string, key: KeyObject | null | undefined): Error | undefined {
  const keyType = algorithm && key ? key.asymmetricKeyType : undefined;
  if (!keyType) return undefined;

  const allowed = algorithmsOf[keyType];
  if (!allowed) return new Error(`Unknown key type "${keyType}".`);
  if (!allowed.includes(algorithm)) {
    return new Error(`"alg" parameter for "${keyType}" key type must be one of: ${allowed.join(', ')}.`);
  }
  const details = key?.asymmetricKeyDetails ?? {};
  if (keyType === 'ec' && details.namedCurve !== curveOf[algorithm]) {
    return new Error(`"alg" parameter "${algorithm}" requires curve "${curveOf[algorithm]}".`);
  }
  if (keyType !== 'rsa-pss') return undefined;

  const bits = parseInt(algorithm.slice(-3), 10);
  const { hashAlgorithm, mgf1HashAlgorithm, saltLength } = details;
  if (hashAlgorithm !== `sha${bits}` || mgf1HashAlgorithm !== hashAlgorithm) {
    return new Error(
      `Invalid key for this operation, its RSA-PSS parameters do not meet the requirements of "alg" ${algorithm}.`,
    );
  }
  if (saltLength !== undefined && saltLength > bits >> 3) {
    return new Error(
      `Invalid key for this operation, its RSA-PSS parameter saltLength does not meet the requirements of "alg" ${algorithm}.`,
    );
  }
  return undefined;
}
