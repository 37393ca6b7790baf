// Elements of the page. Text is always set as text: nothing that a client or a worker says
// becomes markup.

export function element(tag, kind = "", text = "") {
  const e = document.createElement(tag);
  if (kind) e.className = kind;
  if (text) e.textContent = text;
  if (tag === "button") e.type = "button";
  return e;
}

/**
 * Brings the children of a parent up to date: one for each item, in their order. A child stays
 * the same element while its item is there, so that it keeps the focus.
 */
export function keep(parent, items, keyOf, make, update) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let child = before.get(key);
    before.delete(key);
    if (!child) {
      child = make(item);
      child.dataset.key = key;
    }
    update(child, item);
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
  }
  for (const child of before.values()) child.remove();
}
