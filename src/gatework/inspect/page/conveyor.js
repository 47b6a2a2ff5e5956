// Which gates keep a state and which write to it, at which values of them it stands still, and a run with them held there.
import { amounts } from "./roles.js";

const STANDS = 1e-9, // by which a state that stands still may move
  SUMS = ["add", "sub", "mul", "div", "neg"],
  MOST_HELD = 4; // gates that are tried together

/**
 * The first state that gates can make stand still: {target, keeps, writes, shows, holds}, holds being {node, name, value}
 * for each gate; null where there is none. x, first: what is read, and the state before, when it is tried.
 */
export function conveyorOf(network, roles, layer, x, first) {
  const cell = network.cells[layer],
    { state } = network.step(x, first); // where states that begin at 0 are not any more
  for (const [index, { name }] of cell.program.states.entries()) {
    const own = roles.filter(({ target }) => target === name),
      keeps = own.find(({ kind }) => kind === "keeps"),
      writes = own.filter(({ kind }) => kind === "writes");
    if (!keeps) continue;
    const gates = gatesOf(cell, [keeps, ...writes]),
      still = gates.length <= MOST_HELD ? stillAt(network, layer, { name, index, gates, x, state }) : null;
    if (!still) continue;
    const shows = roles.find((role) => role.kind === "shows" && role.target === cell.program.output && !role.exact),
      holds = gates.map((node, k) => ({ node, name: nameOf(cell, node), value: still[k] }));
    return { target: name, keeps, writes, shows: shows ?? null, holds };
  }
  return null;
}

/** The gates that some roles are made of: f; of 1 - z the z in it. */
export function gatesOf(cell, roles) {
  const found = new Set();
  const descend = (node) => {
    const { op, args } = cell.nodes[node];
    if (SUMS.includes(op)) args.forEach(descend);
    else if (args.length) found.add(node);
  };
  for (const { gate } of roles) for (const [, sides] of gate) sides.flat().forEach(descend);
  return [...found];
}

const nameOf = (cell, node) => cell.program.named.find(([, each]) => each === node)?.[0] ?? "gate";

/** The values, 0 or 1, at which a step leaves the state as it was: tried by running one; null where none do. */
function stillAt(network, layer, { name, index, gates, x, state }) {
  const cell = network.cells[layer],
    before = state[layer][index];
  for (let mask = 2 ** gates.length - 1; mask >= 0; mask--) {
    const values = gates.map((_, k) => (mask >> k) & 1);
    network.clamp([]);
    gates.forEach((node, k) => cell.clamps.set(node, [...before.keys()].map((unit) => [unit, values[k]])));
    network.step(x, state);
    network.clamp([]);
    if (before.every((value, unit) => Math.abs(cell.value(name)[unit] - value) < STANDS)) return values;
  }
  return null;
}

/**
 * Reads some tokens with a unit's gates held from a step on: of each step its state, its output, how much of the state was
 * kept, and how far what shows it was open.
 */
export function ride({ network, ids, first }, { layer, unit }, conveyor, holds, from, steps) {
  const cell = network.cells[layer],
    /** @type {Record<string, number[]>} */
    made = { state: [], output: [], kept: [], shown: [] };
  let state = first;
  for (let t = 0; t < Math.min(steps, ids.length); t++) {
    network.clamp([]);
    if (t >= from) for (const { node, value } of holds) cell.clamps.set(node, [[unit, value]]);
    state = network.step(network.embed(ids[t]), state).state;
    made.state.push(cell.value(conveyor.target)[unit]);
    made.output.push(cell.output[unit]);
    made.kept.push(amounts(cell, conveyor.keeps, unit).share);
    if (conveyor.shows) made.shown.push(amounts(cell, conveyor.shows, unit).share);
  }
  network.clamp([]);
  return made;
}
