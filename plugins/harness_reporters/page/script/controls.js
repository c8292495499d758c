// Fields that show a part of the state and change it.

/** A labelled choice. `all` is what is said for no choice; options are texts, or [value, text]. */
function choice(label, name, options, { all = null, also = {}, value = () => at(name) } = {}) {
  const pairs = options.map((option) => (Array.isArray(option) ? option : [option, option]));
  const select = h(
    "select",
    { id: `field-${name}`, change: () => change({ page: "", sample: "", ...also, [name]: select.value }) },
    all === null ? null : h("option", { value: "" }, all),
    pairs.map(([key, text]) => h("option", { value: key }, text)),
  );
  const field = h("div", { class: "field" }, h("label", { for: select.id }, label), select);
  field.sync = () => { select.value = value(); };
  return field;
}

function search(label, name) {
  let waiting = 0;
  const input = h("input", {
    type: "search", id: `field-${name}`, autocomplete: "off", spellcheck: "false",
    input: () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => change({ page: "", sample: "", [name]: input.value }), 120);
    },
  });
  const field = h("div", { class: "field wide" }, h("label", { for: input.id }, label), input);
  field.sync = () => { if (document.activeElement !== input) input.value = at(name); };
  return field;
}

/** Fields in a row, and a button that empties those that are named. */
function fields(list, cleared) {
  const clear = h("button", { type: "button", class: "quiet", click: () => change(Object.fromEntries(cleared.map((name) => [name, ""]))) }, "Clear");
  const told = h("p", { class: "told", role: "status" });
  const row = h("form", { class: "fields", submit: (event) => event.preventDefault() }, list, clear, told);
  row.sync = (text) => {
    list.forEach((field) => field?.sync());
    clear.hidden = !cleared.some((name) => at(name));
    told.textContent = text;
  };
  return row;
}

/** A table heading that sorts; `names` are those of the state that hold what it is sorted by and which way. */
function sortHeading(name, label, { attributes = {}, first = "asc", names = ["sort", "dir"] } = {}) {
  const [by, way] = names;
  const now = at(by) === name ? at(way) || first : "";
  const next = now === "asc" ? "desc" : now === "desc" ? "asc" : first;
  const press = () => {
    change({ [by]: name, [way]: next });
    document.getElementById(id)?.focus();
  };
  const id = `sort-${by}-${name}`;
  return h(
    "th",
    { scope: "col", "aria-sort": now ? `${now}ending` : null, ...attributes },
    h("button", { type: "button", id, click: press }, label, h("span", { class: "arrow", "aria-hidden": "true" }, now === "asc" ? "\u25b2" : now === "desc" ? "\u25bc" : "\u21c5")),
  );
}

/** Sorted by a key that is a number, a text, or nothing, which comes last either way. */
function sorted(items, key, way) {
  const sign = way === "desc" ? -1 : 1;
  return items.map((item) => [key(item), item]).sort(([x], [y]) => {
    if (x === null || y === null || x === undefined || y === undefined) return (x === null || x === undefined) - (y === null || y === undefined);
    return sign * (typeof x === "string" ? x.localeCompare(y) : x - y);
  }).map(([, item]) => item);
}

/** Links to the pages of a long list. */
function pager(total, size, page) {
  const last = Math.max(0, Math.ceil(total / size) - 1);
  const step = (to, text) => h("button", { type: "button", disabled: to < 0 || to > last || to === page, click: () => change({ page: to || "", sample: "" }) }, text);
  if (!last) return null;
  return h("nav", { class: "pager", "aria-label": "Pages" },
    step(0, "First"), step(page - 1, "Previous"), h("span", {}, `page ${page + 1} of ${last + 1}`), step(page + 1, "Next"), step(last, "Last"));
}
