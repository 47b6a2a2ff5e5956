// Section 9: how it was done, what to beware of, and the data to take away.
import { make, section } from "./dom.js";
import { traceOf } from "./shown.js";
import { unitName } from "./store.js";

const CAUTIONS = [
  "Correlation is not use: a unit may follow something that the network never draws on. Look at what holding the unit at its mean costs in bits, and try it yourself in the section on the cell.",
  "One unit is seldom the whole story. “All units together” shows how well all of them, weighed as well as possible, follow the same thing.",
  "An untrained network already follows simple things, such as the position in a line, since its units are slow by chance. That column stands beside every result.",
  "Slow signals correlate by chance. Chance is measured with the same labels laid over other stretches of the text, which is harder to beat than shuffled labels.",
  "The colours stand for fixed domains, unless they are set to a unit's own range; unbounded values are shown as their tanh.",
];

export function showMethods(app) {
  const { payload } = app;
  const found = section("methods", "Methods and data", "Methods, cautions, data");
  found.append(
    make(
      "ul",
      null,
      CAUTIONS.map((text) => make("li", null, text)),
    ),
    make(
      "p",
      null,
      "Half-lives come from the derivative of a state's new value by its old one, taken from the equations. Gradient flow is the size of the derivative of what is predicted (of the next character its log probability) by the states before it, each place normalised.",
    ),
    make(
      "p",
      null,
      `This one file holds ${holds(payload)}. Whoever has the file has these. It asks nothing of any server, and runs no code but its own.`,
    ),
    make(
      "p",
      { class: "buttons" },
      app.reading
        ? make(
            "button",
            { id: "save-unit", onclick: () => saveUnit(app) },
            `Save the chosen unit over the ${app.thing} (CSV)`,
          )
        : null,
      make("button", { id: "save-figures", onclick: () => saveFigures(app) }, "Save all figures of this page (JSON)"),
    ),
    make("p", { class: "small" }, `Written by gatework ${payload.gatework}.`),
  );
}

function holds({ weights, text, series }) {
  const parts = [
    weights?.length ? "the trained network, its weights included" : "the equations of the network without its weights",
    text ? "the text it was shown" : series ? "the series" : null,
  ];
  return parts.filter(Boolean).join(", and ");
}

function saveUnit(app) {
  const name = unitName(app.view.values),
    values = traceOf(app, app.view.values);
  const quoted = (piece) => `"${piece.replaceAll('"', '""')}"`;
  const lines = Array.from(values, (value, t) =>
    [
      t,
      quoted(app.reading.pieces[t]),
      app.reading.at(app.view.get("layer"), app.view.get("name"), app.view.get("unit"), t),
      value,
      Number.isNaN(app.reading.surprise[t]) ? "" : app.reading.surprise[t],
    ].join(","),
  );
  save(`${name}.csv`, ["step,piece,value,shown,surprise_bits", ...lines].join("\n") + "\n", "text/csv");
}

function saveFigures(app) {
  const { units, hypotheses, gates, flow, results, findings } = app.payload;
  save(
    "figures.json",
    JSON.stringify({ results, findings, hypotheses, units, gates, flow }, null, 1),
    "application/json",
  );
}

export function save(name, text, type) {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
