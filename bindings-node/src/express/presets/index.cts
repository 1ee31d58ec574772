/** The interfaces of existing apps that regrant replaces. */
export { rtVerify } from './rt-verify.cjs';
