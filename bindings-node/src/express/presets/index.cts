/** Shapes of existing apps that regrant is swapped into. */
export { rtVerify } from './rt-verify.cjs';
