// Questions to the user, and answers.
const byId = (id) => document.getElementById(id);

/** Asks the user, and returns whether the answer is yes. */
export function ask({ title, text, yes }) {
  const dialog = byId("confirm");
  if (dialog.open) return Promise.resolve(false);
  byId("confirm-title").textContent = title;
  byId("confirm-text").textContent = text;
  byId("confirm-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** Asks for the token. */
export function askToken(wrong) {
  const dialog = byId("token-dialog"), input = byId("token");
  byId("token-wrong").textContent = wrong ? "That was not the token." : "";
  input.value = "";
  dialog.oncancel = (event) => event.preventDefault();
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(input.value.trim()), { once: true });
  });
}

export function showText(title, text) {
  byId("text-title").textContent = title;
  byId("text").textContent = text;
  byId("text-dialog").showModal();
}

let timer;

/** Says something for a while. */
export function notify(text) {
  byId("notice").textContent = text;
  clearTimeout(timer);
  timer = setTimeout(() => { byId("notice").textContent = ""; }, 6000);
}
