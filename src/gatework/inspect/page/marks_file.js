// Own labels as a file: lines FROM TO NAME, or a 0 or 1 for every character; places count from 0 in the file that was read.

const SPAN = /^(\d+)[\s,;]+(\d+)(?:[\s,;]+(\S.*))?$/;

/**
 * What a file says of the shown tokens: label by name, Float32Array [length] each, and how many spans lie outside them.
 * start: the first shown token's place; name: for what the file does not name. Throws an Error that says what is wrong.
 */
export function readMarks(text, start, length, name) {
  const signs = text.replace(/\s/g, "");
  if (/^[01]+$/.test(signs) && !SPAN.test(text.trim().split("\n")[0].trim())) return readSigns(signs, start, length, name);
  const labels = new Map();
  let outside = 0;
  text.split(/\r?\n/).forEach((given, k) => {
    const line = given.trim();
    if (!line || line.startsWith("#")) return;
    const found = SPAN.exec(line);
    if (!found || Number(found[1]) >= Number(found[2]))
      throw new Error(
        `line ${k + 1}: “${line.slice(0, 40)}”: expected FROM TO NAME, such as 120 134 quote, with FROM below TO; or a file of 0s and 1s alone`,
      );
    const from = Math.max(Number(found[1]) - start, 0),
      to = Math.min(Number(found[2]) - start, length);
    if (from >= to) return void outside++;
    const label = labels.get(found[3] ?? name) ?? new Float32Array(length);
    labels.set(found[3] ?? name, label.fill(1, from, to));
  });
  if (!labels.size)
    throw new Error(
      `nothing is marked in the text that is shown, from ${start} to before ${start + length}: spans count from 0 at the start of the file that was read`,
    );
  return { labels, outside };
}

function readSigns(signs, start, length, name) {
  if (signs.length !== length && signs.length < start + length)
    throw new Error(
      `it has ${signs.length} 0s and 1s: expected one for each of the ${length} shown, or for all from the start of the file, ${start + length} at least`,
    );
  const first = signs.length === length ? 0 : start;
  const label = Float32Array.from({ length }, (_, t) => Number(signs[first + t]));
  return { labels: new Map([[name, label]]), outside: 0 };
}

/** A label as lines FROM TO NAME. */
export function writeMarks(label, start, name) {
  const lines = [];
  for (let t = 0; t < label.length; t++) {
    if (!label[t] || label[t - 1]) continue;
    let end = t;
    while (end < label.length && label[end]) end++;
    lines.push(`${start + t} ${start + end} ${name}\n`);
  }
  return lines.join("");
}
