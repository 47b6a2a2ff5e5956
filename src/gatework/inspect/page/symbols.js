// Texts as symbols and back: see gatework.pairs.data.symbols.

const JOINER = "\uffed"; // before a word or a sign that no space parts from the one before

/** A text as symbols: characters, bytes shown as Latin-1, words, or what stands between spaces. */
export function asSymbols(text, level) {
  switch (level) {
    case "byte":
      return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte));
    case "symbol":
      return text.split(/\s+/).filter(Boolean);
    case "word":
      return Array.from(text.matchAll(/(\s*)([\p{L}\p{N}_]+|[^\p{L}\p{N}_\s])/gu), ([, space, word], k) =>
        space || k === 0 ? word : JOINER + word,
      );
    default:
      return Array.from(text);
  }
}

/** The text that symbols stand for. */
export function textOf(symbols, level) {
  switch (level) {
    case "byte":
      return new TextDecoder().decode(Uint8Array.from(symbols, (symbol) => symbol.charCodeAt(0)));
    case "symbol":
      return symbols.join(" ");
    case "word":
      return symbols
        .map((word) => (word.length > 1 && word.startsWith(JOINER) ? word.slice(1) : ` ${word}`))
        .join("")
        .replace(/^ /, "");
    default:
      return symbols.join("");
  }
}

/** The numbers of symbols, 0 for one that is not listed. */
export function idsOf(symbols, { symbols: listed }) {
  const numbers = new Map(listed.map((symbol, number) => [symbol, number]));
  return symbols.map((symbol) => numbers.get(symbol) ?? 0);
}
