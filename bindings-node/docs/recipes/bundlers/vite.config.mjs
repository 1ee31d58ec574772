export default {
  build: { ssr: 'server.mjs', outDir: 'out/vite' },
  ssr: { noExternal: true, external: ['regrant'] }, // without `noExternal` Vite leaves all dependencies out by itself
};
