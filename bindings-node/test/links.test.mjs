// The links of the documentation: within the repository, and in the packed tarball, which has no files beside it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { manifest } from './packed/support.mjs';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const run = (command, ...args) => execFileSync(command, args, { cwd: join(checkout, 'bindings-node'), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
const pages = run('git', 'ls-files', '--full-name', '../*.md').split('\n').filter((path) => path !== '');
const packed = new Set(packedFiles());

function packedFiles() {
  const answer = JSON.parse(run('npm', 'pack', '--dry-run', '--json', '--ignore-scripts'));
  const [{ files }] = Array.isArray(answer) ? answer : Object.values(answer);
  return files.map(({ path }) => `bindings-node/${path}`);
}

/** A page without its code, in which nothing is a link. */
const prose = (page) => readFileSync(join(checkout, page), 'utf8').replace(/^( *)(```|~~~)[^]*?^\1\2/gm, '').replace(/`[^`\n]*`/g, '``');

/** The targets of a page's links. */
function linksOf(page) {
  return [...prose(page).matchAll(/\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)|<(?:a|img)\b[^>]*?(?:href|src)="([^"]+)"/g)].map(([, target, html]) => target ?? html);
}

/** The anchors of a page: its headings as GitHub and npm derive them, and those that it defines itself. */
function anchorsOf(page) {
  const seen = new Map();
  const text = readFileSync(join(checkout, page), 'utf8').replace(/^( *)(```|~~~)[^]*?^\1\2/gm, '');
  const headings = [...text.matchAll(/^#{1,6} +(.+?) *$/gm)].map(([, heading]) => {
    const words = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/<[^>]*>/g, '').toLowerCase();
    const slug = words.replace(/[^\p{L}\p{N}\p{M}\p{Pc} -]/gu, '').replaceAll(' ', '-');
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    return times === 0 ? slug : `${slug}-${times}`;
  });
  return new Set([...headings, ...[...text.matchAll(/(?:id|name)="([^"]+)"/g)].map(([, id]) => id)]);
}

/** Why the link of a page leads nowhere; undefined if it leads somewhere. `exists` says whether a path of the checkout is there. */
function problemOf(page, target, exists) {
  const ours = new RegExp(`^${manifest.homepage.replace(/#.*/, '')}/(?:blob|tree)/main/(.*)`).exec(target);
  if (!ours && /^[a-z][a-z+.-]*:/i.test(target)) return undefined;
  const [path, anchor] = (ours?.[1] ?? target).split('#');
  const file = ours ? path : path === '' ? page : normalize(join(dirname(page), decodeURIComponent(path)));
  if (!(ours ? existsSync(join(checkout, file)) : exists(file))) return `${page}: ${target}: there is no such file`;
  if (anchor && file.endsWith('.md') && !anchorsOf(file).has(decodeURIComponent(anchor))) return `${page}: ${target}: there is no such heading`;
  return undefined;
}

const problemsOf = (page, exists) => linksOf(page).map((target) => problemOf(page, target, exists)).filter(Boolean);

test('every link of every page leads to a file of the repository, and to a heading in it', () => {
  assert.ok(pages.length > 40, `only ${pages.length} pages were found`);
  const exists = (path) => existsSync(join(checkout, path));
  assert.deepEqual(pages.flatMap((page) => problemsOf(page, exists)), []);
});

test('every relative link of a packed page leads to a packed file', () => {
  const packedPages = [...packed].filter((path) => path.endsWith('.md'));
  assert.ok(packedPages.length > 20, `only ${packedPages.length} pages were found`);
  const exists = (path) => packed.has(path) || (statSync(join(checkout, path), { throwIfNoEntry: false })?.isDirectory()
    && [...packed].some((file) => !relative(path, file).startsWith('..')));
  assert.deepEqual(packedPages.flatMap((page) => problemsOf(page, exists)), []);
});

test('a dead link is found', () => {
  const exists = (path) => existsSync(join(checkout, path));
  for (const target of ['docs/nothing.md', 'docs/platforms.md#nothing', `${manifest.homepage.replace(/#.*/, '')}/blob/main/nothing.md`]) {
    assert.match(problemOf('bindings-node/README.md', target, exists), /there is no such (file|heading)$/);
  }
});
