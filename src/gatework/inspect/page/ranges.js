// How far each value of a cell can reach, read off its equations: what is a gate, what stays within -1 and 1.

const ALL = [-Infinity, Infinity];

/** For every node the interval that holds its values; states are taken to stay in [-1, 1] where the equations keep them there. */
export function intervals(program) {
  const free = new Set(program.states.filter((state) => !(Math.abs(state.start) <= 1)).map((state) => state.name));
  for (;;) {
    const found = [];
    program.nodes.forEach((node, index) => found.push(reach(program.nodes, node, found, free, index)));
    const broken = program.states.filter(({ name, node }) => !free.has(name) && !within(found[node], -1, 1));
    if (!broken.length) return found;
    for (const { name } of broken) free.add(name);
  }
}

export const within = ([low, high], least, most) => low >= least - 1e-9 && high <= most + 1e-9;

function reach(nodes, node, found, free) {
  const [a, b] = node.args.map((arg) => found[arg]);
  switch (node.op) {
    case "number":
      return [node.value, node.value];
    case "state":
      return free.has(node.name) ? ALL : [-1, 1];
    case "sigmoid":
    case "softmax":
      return [0, 1];
    case "tanh":
      return [-1, 1];
    case "cumsum":
      return nodes[node.args[0]].op === "softmax" ? [0, 1] : ALL;
    case "stop_gradient":
      return a;
    case "neg":
      return [-a[1], -a[0]];
    case "relu":
      return [Math.max(a[0], 0), Math.max(a[1], 0)];
    case "abs":
      return [0, Math.max(Math.abs(a[0]), Math.abs(a[1]))];
    case "add":
      return mixture(nodes, node, found) ?? [a[0] + b[0], a[1] + b[1]];
    case "sub":
      return [a[0] - b[1], a[1] - b[0]];
    case "mul":
      return product4(a, b);
    case "exp":
    case "softplus":
    case "sqrt":
      return [0, Infinity];
    default:
      return ALL;
  }
}

function product4(a, b) {
  const corners = a.flatMap((left) => b.map((right) => (left === 0 || right === 0 ? 0 : left * right)));
  return [Math.min(...corners), Math.max(...corners)];
}

/** gate * a + (1 - gate) * b lies between a and b; null for another sum. */
function mixture(nodes, node, found) {
  const terms = node.args.map((arg) => nodes[arg]);
  if (terms.some((term) => term.op !== "mul")) return null;
  for (const [p, a] of turns(terms[0].args)) {
    for (const [q, b] of turns(terms[1].args)) {
      if (!within(found[p], 0, 1) || !(isRest(nodes, p, q) || isRest(nodes, q, p))) continue;
      return [Math.min(found[a][0], found[b][0]), Math.max(found[a][1], found[b][1])];
    }
  }
  return null;
}

const turns = ([a, b]) => [
  [a, b],
  [b, a],
];

/** Whether node q is 1 - p. */
function isRest(nodes, p, q) {
  const { op, args } = nodes[q];
  return op === "sub" && args[1] === p && nodes[args[0]].op === "number" && nodes[args[0]].value === 1;
}

/** "gate" for values in [0, 1], "signed" for those in [-1, 1], "free" for all others, of which tanh is shown. */
export function kindOf(interval) {
  return within(interval, 0, 1) ? "gate" : within(interval, -1, 1) ? "signed" : "free";
}
