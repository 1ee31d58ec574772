// Memory over calls, as a small SVG.

const WIDTH = 720;
const HEIGHT = 260;
const LEFT = 56;
const BOTTOM = 40;
const TOP = 24;

/** @param seen - `{ calls, rss, heap }` in MiB, in the order in which they were taken. */
export function plot(seen) {
  const most = Math.ceil(Math.max(...seen.map(({ rss }) => rss)) / 20) * 20;
  const last = seen.at(-1).calls;
  const x = (calls) => LEFT + ((WIDTH - LEFT - 16) * calls) / last;
  const y = (mebibytes) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * mebibytes) / most;
  const line = (name, colour) => {
    const points = seen.map((at) => `${x(at.calls).toFixed(1)},${y(at[name]).toFixed(1)}`).join(' ');
    return `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${points}"/>`;
  };
  const marks = [0, 0.25, 0.5, 0.75, 1];
  const rows = marks.map((part) => `<path stroke="#ccc" d="M${LEFT} ${y(part * most)}H${WIDTH - 16}"/>`
    + `<text x="${LEFT - 6}" y="${y(part * most) + 4}" text-anchor="end">${Math.round(part * most)}</text>`);
  const columns = marks.map((part) => `<text x="${x(part * last)}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">`
    + `${(part * last / 1e6).toLocaleString('en', { maximumFractionDigits: 2 })}</text>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
${rows.join('\n')}
${columns.join('\n')}
${line('rss', '#1f6feb')}
${line('heap', '#2da44e')}
<text x="${LEFT}" y="15">MiB: <tspan fill="#1f6feb">resident memory</tspan>, <tspan fill="#2da44e">JavaScript heap</tspan></text>
<text x="${WIDTH / 2}" y="${HEIGHT - 6}" text-anchor="middle">million calls</text>
</svg>
`;
}
