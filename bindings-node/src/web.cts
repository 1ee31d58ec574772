/** How tokens travel over HTTP: the section `web` of the configuration, as the core reads it. */
import type { NativeWeb } from '../native.cjs';

/** The web policy of an auth object or a verifier. */
export class Web {
  /** The header of access tokens, in lower case. */
  readonly accessHeader: string;
  /** The names of the headers that the core's rules look at, in lower case. */
  readonly requestHeaders: ReadonlySet<string>;

  constructor(readonly native: NativeWeb) {
    this.accessHeader = native.accessHeader;
    this.requestHeaders = new Set(native.requestHeaders);
  }
}
