// DOM helpers.

export const byId = (id) => document.getElementById(id);

/**
 * Creates an element: `el('li', { class: 'step', 'data-kind': 'refresh' }, 'text', child)`.
 * Text is always set as text, never as markup.
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== undefined && child !== false));
  return node;
}

/** Announces a text to screen readers without moving the focus. */
export function announce(text) {
  byId('announcer').textContent = text;
}
