import { session } from '../lib/session.js';

export default async function Page() {
  const current = await session();
  return <p>{current ? `Signed in as ${current.subject}` : 'Signed out'}</p>;
}
