// Elements are made of text nodes and attributes alone: nothing that a model or a data set holds is parsed as markup.
const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else if (name === "style") for (const [property, said] of Object.entries(value)) node.style.setProperty(property, said);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** h("a", {href, click: function, style: {"--low": "5%"}}, "text", node, [more]); null children are left out. */
const h = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);

/** The same for a part of a picture. */
const s = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

/** A name that may break after its commas. */
const breakable = (name) => name.split(/(?<=,)/).flatMap((part, at) => (at ? [h("wbr"), part] : [part]));

const count = (n, one, several = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : several}`;
const fixed = (value, digits = 3) => (Number.isFinite(value) ? value.toFixed(digits).replace("-", "\u2212") : "\u2014");
const percent = (share) => (Number.isFinite(share) ? `${Math.round(100 * share)}%` : "\u2014");

/** Three significant digits without an exponent. */
function quantity(value) {
  if (!Number.isFinite(value)) return "\u2014";
  if (value >= 100) return Math.round(value).toLocaleString("en");
  return value >= 10 ? value.toFixed(1) : value >= 1 ? value.toFixed(2) : value.toPrecision(3);
}
