// Where one is stands in the address behind #, so that a link leads there and the browser's back button works.
const SHARED = ["view", "task", "model", "strategy", "context", "trial"];

const read = () => new URLSearchParams(location.hash.slice(1));
const at = (name) => read().get(name) ?? "";

/** The address with some things changed; what is empty is left out. */
function address(changes) {
  const parts = read();
  for (const [name, value] of Object.entries(changes)) {
    if (value === "" || value === null || value === undefined) parts.delete(name);
    else parts.set(name, value);
  }
  return `#${parts}`;
}

/** The address of another view: what belongs to this one alone is dropped. */
function elsewhere(changes) {
  const kept = Object.fromEntries([...read().keys()].filter((name) => !SHARED.includes(name)).map((name) => [name, ""]));
  return address({ ...kept, ...changes });
}

/** Typing and choosing make no entry in the history; going to another view does, by its link. */
function change(changes) {
  history.replaceState(null, "", address(changes));
  render();
}
