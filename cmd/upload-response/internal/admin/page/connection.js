// What goes to the server, and comes from it. The token is sent in a header, never in an address.

const hash = new URLSearchParams(location.hash.slice(1));
if (hash.has("token")) { // of upload-response web
  sessionStorage.setItem("token", hash.get("token"));
  history.replaceState(null, "", location.pathname);
}

/** The server wants a token, or another one. */
export class NeedsToken extends Error {}

export function setToken(token) { sessionStorage.setItem("token", token); }

async function send(method, path, options = {}) {
  const headers = { ...options.headers };
  const token = sessionStorage.getItem("token");
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, { ...options, method, headers, cache: "no-store" });
  if (response.status === 401) throw new NeedsToken();
  if (!response.ok) {
    let detail = `${response.status} ${response.statusText}`;
    try { detail = (await response.json()).detail ?? detail; } catch { /* it is no problem+json */ }
    throw new Error(detail);
  }
  return response;
}

/** Calls the API, and returns the answer. */
export async function call(method, path, body) {
  const options = body ? { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } } : {};
  const response = await send(method, path, options);
  return response.status === 204 ? null : response.json();
}

// How long nothing may come: the server sends a status every second.
const silence = 10000;

/** Reads server-sent events until they end. (An EventSource cannot send a header.) */
export async function connect(path, lastEvent, onEvent) {
  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(), silence);
  try {
    const headers = lastEvent ? { "Last-Event-ID": lastEvent } : {};
    const response = await send("GET", path, { headers, signal: abort.signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(), silence);
      const events = (text + value).split("\n\n");
      text = events.pop();
      for (const event of events) deliver(event, onEvent);
    }
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
}

function deliver(text, onEvent) {
  const fields = {};
  for (const line of text.split("\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 2);
  }
  if (fields.data) onEvent(fields.event, JSON.parse(fields.data), fields.id);
}
