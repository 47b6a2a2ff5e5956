// Small charts in SVG: axes, dots as one path, lines; drawn in the colours of the style sheet.
import { draw } from "./dom.js";

export const PAD = { left: 58, right: 24, top: 12, bottom: 38 };

/** The width of a chart in its own pixels: `most`, or what a small screen has, so that its text stays legible. */
export const room = (most) => Math.min(most, Math.max(300, document.documentElement.clientWidth - 28));

/** A chart of a size; x and y map values to pixels, and tell its ticks: {at, text} each. */
export function chart({ width, height, label, x, y, xTicks, yTicks, xTitle, yTitle }) {
  const bottom = height - PAD.bottom,
    right = width - PAD.right;
  return draw(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "aria-label": label },
    ...yTicks
      .map(({ at, text }) => [
        draw("line", { x1: PAD.left, x2: right, y1: y(at), y2: y(at), class: "rule" }),
        draw("text", { x: PAD.left - 6, y: y(at) + 4, "text-anchor": "end" }, text),
      ])
      .flat(),
    ...xTicks
      .map(({ at, text }) => [
        draw("line", { x1: x(at), x2: x(at), y1: PAD.top, y2: bottom, class: "rule" }),
        draw("text", { x: x(at), y: bottom + 15, "text-anchor": "middle" }, text),
      ])
      .flat(),
    draw("text", { x: (PAD.left + right) / 2, y: height - 5, "text-anchor": "middle", class: "title" }, xTitle),
    draw(
      "text",
      {
        x: 11,
        y: (PAD.top + bottom) / 2,
        "text-anchor": "middle",
        class: "title",
        transform: `rotate(-90 11 ${(PAD.top + bottom) / 2})`,
      },
      yTitle,
    ),
  );
}

/** A map from [low, high] to pixels, straight or logarithmic. */
export function axis(low, high, from, to, log = false) {
  const f = log ? Math.log : (value) => value;
  return (value) => from + ((f(value) - f(low)) / (f(high) - f(low) || 1)) * (to - from);
}

/** Many dots as a single path of round ends. */
export const dots = (points, name) =>
  draw("path", {
    class: `dots ${name ?? ""}`,
    d: points.map(([x, y]) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join(""),
  });

export const line = (points, name) =>
  draw("path", {
    class: `line ${name}`,
    d: points.map(([x, y], k) => `${k ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join(""),
  });

/** The area between two lines. */
export const area = (upper, lower, name) =>
  draw("path", {
    class: `area ${name}`,
    d: `M${[...upper, ...lower.slice().reverse()].map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}Z`,
  });

/** Powers of ten from low to high. */
export function decades(low, high) {
  const found = [];
  for (let power = Math.ceil(Math.log10(low) - 1e-9); power <= Math.log10(high) + 1e-9; power++) {
    found.push({
      at: 10 ** power,
      text:
        power >= 0 && power < 5
          ? String(10 ** power)
          : power < 0 && power > -3
            ? (10 ** power).toFixed(-power)
            : `1e${power}`,
    });
  }
  return found;
}

/** Tells which of the points a click or the pointer is nearest to, within 12 units of the drawing. */
export function nearest(svg, event, points) {
  const box = svg.getBoundingClientRect(),
    scale = svg.viewBox.baseVal.width / box.width;
  const x = (event.clientX - box.left) * scale,
    y = (event.clientY - box.top) * scale;
  let best = -1,
    least = 12;
  points.forEach(([a, b], index) => {
    const far = Math.hypot(a - x, b - y);
    if (far < least) [least, best] = [far, index];
  });
  return best;
}
