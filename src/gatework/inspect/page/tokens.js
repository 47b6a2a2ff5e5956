// Text to the ids of a vocabulary and back.

const WORDS = /\s{1,100}|[\p{L}\p{N}_]{1,100}|[^\s\p{L}\p{N}_]/gu;
const INDEX = new WeakMap();

function indexOf(vocabulary) {
  if (!INDEX.has(vocabulary)) INDEX.set(vocabulary, new Map(vocabulary.tokens.map((token, id) => [token, id])));
  return INDEX.get(vocabulary);
}

/** The ids of a text, and what each of them spells; what is not listed has the id `unknown`. */
export function encode(vocabulary, text) {
  if (vocabulary.kind === "byte") {
    const ids = [...new TextEncoder().encode(text)];
    return { ids, pieces: ids.map(spellByte) };
  }
  const pieces = vocabulary.kind === "word" ? (text.match(WORDS) ?? []) : [...text],
    index = indexOf(vocabulary);
  return { ids: pieces.map((piece) => index.get(piece) ?? vocabulary.unknown), pieces };
}

/** What a token spells; a byte that is no ASCII sign as its number. */
export function spell(vocabulary, id) {
  return vocabulary.kind === "byte" ? spellByte(id) : vocabulary.tokens[id];
}

const spellByte = (byte) => (byte < 128 ? String.fromCharCode(byte) : byte.toString(16));
