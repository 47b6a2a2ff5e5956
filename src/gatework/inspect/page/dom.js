// Making elements: text goes in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** An HTML element: make("button", {onclick: f}, "Play"). */
export function make(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function draw(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/**
 * An element that the template or a section has put there.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** A section of the page: its short name for the list of sections, its heading, what it says for newcomers; returns the element to put the rest in. */
export function section(id, short, heading, ...intro) {
  const found = make(
    "section",
    { id, "aria-labelledby": `${id}-heading` },
    make("h2", { id: `${id}-heading` }, heading),
    ...intro.map((text) => make("p", { class: "intro" }, text)),
  );
  byId("main").append(found);
  byId("nav").append(make("a", { href: `#${id}` }, short));
  return found;
}

/** A table from a row of headings and rows of cells; a cell is text or an element. */
export function table(caption, headings, rows) {
  return make(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    make(
      "table",
      null,
      make("caption", null, caption, make("span", { class: "sideways" }, " (goes on to the right →)")),
      make(
        "thead",
        null,
        make(
          "tr",
          null,
          headings.map((text) => make("th", { scope: "col" }, text)),
        ),
      ),
      make(
        "tbody",
        null,
        rows.map((cells) =>
          make(
            "tr",
            null,
            cells.map((cell) => make("td", null, cell)),
          ),
        ),
      ),
    ),
  );
}

/** A number for people: few digits, a true minus sign. */
export function figure(value, digits = 2) {
  if (value === null || value === undefined) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "–";
  const size = Math.abs(value);
  const text = size >= 1e6 ? value.toExponential(1) : value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

/** Two numbers with as many digits as tell them apart. */
export function apart(low, high) {
  const digits = high > low ? Math.min(Math.max(2, 1 - Math.floor(Math.log10(high - low))), 9) : 2;
  return [figure(low, digits), figure(high, digits)];
}

/** A share from 0 to 1 in percent. */
export const percent = (part) => (part > 0 && part < 0.005 ? "< 1 %" : `${figure(100 * part, 0)} %`);

/** Whole numbers with thin spaces between thousands. */
export const whole = (value) => value.toLocaleString("en-US");

/** Scrolls the page to the top of `part` where `box`, in it, is not wholly in sight below the bar. */
export function bringIntoView(box, part) {
  const { top, bottom } = box.getBoundingClientRect(),
    least = parseFloat(getComputedStyle(part).scrollMarginTop) || 0;
  if (top < least || bottom > window.innerHeight) part.scrollIntoView();
}

/** Says something to people who listen to the page. */
export function say(text) {
  byId("status").textContent = text;
}

const MARKS = { " ": "·", "\n": "↵", "\t": "→", "\r": "␍" };

/** A token with white space and control signs made visible. */
export function visible(piece) {
  return [...piece]
    .map((sign) => MARKS[sign] ?? (sign < " " ? String.fromCharCode(0x2400 + sign.charCodeAt(0)) : sign))
    .join("");
}
