// Colours: a diverging scale for signed values, one of its own for gates; light and dark.

const SCALES = {
  light: {
    text: ["#f1a340", "#f7f7f7", "#998ec3"],
    heat: ["#b35806", "#f7f7f7", "#542788"],
    gate: ["#f7f7f7", "#01665e"],
  },
  dark: {
    text: ["#7f3b08", "#1e1e1e", "#542788"],
    heat: ["#c4690f", "#1e1e1e", "#8d6bc4"],
    gate: ["#1e1e1e", "#01857a"],
  },
};

const STEPS = 255;
const darkness = window.matchMedia("(prefers-color-scheme: dark)");

export const isDark = () => darkness.matches;

/** Calls back when the reader's theme changes. */
export const onTheme = (redraw) => darkness.addEventListener("change", redraw);

const channels = (hex) => [1, 3, 5].map((place) => parseInt(hex.slice(place, place + 2), 16));

function between(stops, share) {
  const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1),
    left = Math.min(Math.floor(place), stops.length - 2);
  const from = channels(stops[left]),
    to = channels(stops[left + 1]);
  return from.map((value, index) => Math.round(value + (to[index] - value) * (place - left)));
}

const made = new Map();

/** The colours of a scale ("text", "heat" or "gate") in the present theme: STEPS + 1 triples of red, green, blue. */
export function ladder(scale) {
  const key = `${scale} ${isDark()}`;
  if (!made.has(key)) {
    const stops = SCALES[isDark() ? "dark" : "light"][scale];
    made.set(
      key,
      Array.from({ length: STEPS + 1 }, (_, step) => between(stops, step / STEPS)),
    );
  }
  return made.get(key);
}

/** Where on a ladder a share from 0 to 1 stands. */
export function rung(share) {
  return share >= 0 ? Math.round(Math.min(share, 1) * STEPS) : 0;
}

/** Red, green, blue of a share from 0 to 1 of a scale. */
export const rgb = (scale, share) => ladder(scale)[rung(share)];

export const css = (scale, share) => `rgb(${rgb(scale, share).join(", ")})`;

/** Black or white, whichever reads better on a colour. */
export function ink([red, green, blue]) {
  const linear = [red, green, blue].map((c) =>
    c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4,
  );
  const light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return light > 0.179 ? "#000" : "#fff";
}

/** The stops of a scale, for a legend. */
export const gradient = (scale) =>
  `linear-gradient(to right, ${SCALES[isDark() ? "dark" : "light"][scale].join(", ")})`;

/** A colour that the style sheet names, for canvases. */
export const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
