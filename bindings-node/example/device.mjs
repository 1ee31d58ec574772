// The label of a session in the list of devices. It is for display only, because a client can
// send any User-Agent.

const BROWSERS = [
  [/\bEdgA?\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\bFirefox\/|\bFxiOS\//, 'Firefox'],
  [/\bChrome\/|\bCriOS\/|\bHeadlessChrome\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
  [/^curl\//, 'curl'],
];
const SYSTEMS = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b/, 'macOS'],
  [/\bLinux\b/, 'Linux'],
];

/** 'Chrome on Linux', from a request's User-Agent. */
export function deviceLabel(req) {
  const agent = req.get('user-agent') ?? '';
  const find = (table) => table.find(([pattern]) => pattern.test(agent))?.[1];
  return [find(BROWSERS) ?? 'Unknown client', find(SYSTEMS)].filter(Boolean).join(' on ');
}
