// The table of users of the legacy app and of the app that replaces it.

/** @param {'number' | 'string'} idType the type of the column `userId` */
export function userTable(idType) {
  const id = idType === 'number' ? (number) => number : (number) => `user-${number}`;
  const rows = [1, 2, 3, 4].map((number) => ({
    userId: id(number), email: `user${number}@example.com`, formerEmails: [], nickname: `nickname ${number}`,
  }));
  return {
    /** The row of this id; of another type than the column's it finds none. */
    findById: async (userId) => rows.find((row) => row.userId === userId) ?? null,
    findByEmail: async (email) => rows.find((row) => row.email === email) ?? null,
    /** As `findByEmail`, also by the addresses that a user had before. */
    findByAnyEmail: async (email) =>
      rows.find((row) => row.email === email || row.formerEmails.includes(email)) ?? null,
    changeEmail(userId, email) {
      const row = rows.find((each) => each.userId === userId);
      row.formerEmails.push(row.email);
      row.email = email;
    },
    remove: (userId) => rows.splice(rows.findIndex((row) => row.userId === userId), 1),
    /** What the column makes of the text in a header. */
    idOf: (text) => (idType === 'number' ? Number(text) : text),
    id,
  };
}
