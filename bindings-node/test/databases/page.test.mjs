// docs/custom-stores.md: it shows the recipes that the other tests here run. And the recipe that needs no database.
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { testStore } from 'regrant/testing';
import { mapStore } from '../../docs/recipes/custom-stores/map.mjs';

const docs = new URL('../../docs/', import.meta.url);

test('the page shows what was run', async () => {
  const text = await readFile(new URL('custom-stores.md', docs), 'utf8');
  const shown = [...text.matchAll(/```js (\S+)\n([^]*?)```/g)];
  for (const [, file, code] of shown) assert.equal(code, await readFile(new URL(file, docs), 'utf8'), file);
  const files = await readdir(new URL('recipes/custom-stores/', docs));
  assert.deepEqual(shown.map(([, file]) => file).sort(), files.map((file) => `recipes/custom-stores/${file}`).sort());
});

test('Map passes testStore', () => {
  const store = mapStore();
  return testStore(() => store);
});
