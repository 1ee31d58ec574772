/** Spans of time, as numbers of seconds or as text for npm `ms`. */
import ms = require('ms');

/**
 * The instant `time` after `iat`, in seconds since 1970; after now where there is no `iat` or it
 * is 0. Undefined when `time` is no span.
 */
export function timespan(time: unknown, iat?: number): number | undefined {
  const timestamp = iat || Math.floor(Date.now() / 1000);
  if (typeof time === 'number') return timestamp + time;
  if (typeof time !== 'string') return undefined;
  const milliseconds = ms(time as ms.StringValue) as number | undefined;
  return milliseconds === undefined ? undefined : Math.floor(timestamp + milliseconds / 1000);
}
