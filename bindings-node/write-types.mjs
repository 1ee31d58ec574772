// write-types.mjs FOLDER: writes native.d.cts from what the macros of napi-rs have left in FOLDER, as `napi build` does.

import { writeFileSync } from 'node:fs';
import { generateTypeDef } from '@napi-rs/cli';

const typeDefDir = process.argv[2];
if (!typeDefDir) throw new Error('write-types.mjs FOLDER');
const { dts } = await generateTypeDef({ typeDefDir, cwd: import.meta.dirname, constEnum: false });
writeFileSync(new URL('native.d.cts', import.meta.url), dts);
