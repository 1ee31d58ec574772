import { GraphQLError } from 'graphql';
import { createSchema, createYoga } from 'graphql-yoga';
import { authenticate } from 'regrant/http';

const refused = (error) => new GraphQLError(error.text, {
  extensions: { code: error.code, advice: error.advice, http: { status: error.status, headers: error.headers } },
});

/** Rejects a bad token before any resolver runs. Without a token only the public fields resolve. */
export function graphQlServer(auth) {
  return createYoga({
    async context({ request }) {
      const decision = await authenticate(auth, request, { optional: true });
      if (!decision.ok) throw refused(decision.error);
      return { access: decision.auth };
    },
    schema: createSchema({
      typeDefs: 'type Query { version: String! me: ID! }',
      resolvers: {
        Query: {
          version: () => '1',
          me: (_, __, { access }) => {
            if (!access) throw refused(auth.error('ERR_TOKEN_MISSING'));
            return access.subject;
          },
        },
      },
    }),
  });
}
