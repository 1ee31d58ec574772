// Stands for the app's own users.
export async function checkPassword({ name, password }) {
  return name === 'ada' && password === 'correct horse' ? { id: 'user-1' } : null;
}
