// A process of its own: signs Alice in, over the store of its argument, and prints when its own clock
// and the store say that this happened.
import { createAuth } from 'regrant';

const [secret, store] = process.argv.slice(2);
const auth = createAuth({ secret, store, redis: { timeout: '30s' } });
await auth.login('alice');
const [session] = await auth.sessions('alice');
console.log(JSON.stringify({ own: Date.now(), store: session.createdAt.getTime() }));
