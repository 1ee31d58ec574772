/** The texts that a configuration asks for. */
import type { AuthConfig } from './config.cjs';
import { configInvalid } from './encode-config.cjs';
import { isErrorCode, isLanguage } from './error-codes.cjs';
import { Texts } from './texts.cjs';

/** @throws AuthError `ERR_CONFIG_INVALID` */
export function textsOf(language: AuthConfig['language'], messages: AuthConfig['messages']): Texts {
  const texts = new Texts();
  if (language !== undefined && !isLanguage(language)) {
    throw configInvalid(texts, 'language', "must be 'en' or 'ko'; other texts go into messages");
  }
  for (const code of Object.keys(messages ?? {})) {
    if (!isErrorCode(code)) throw configInvalid(texts, `messages.${code}`, 'is no error code');
  }
  return new Texts(language, messages);
}
