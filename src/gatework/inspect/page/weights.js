// Weights out of base64: float32 or float16, little endian, found by name.

export function bytesOf(base64) {
  const text = atob(base64.trim()),
    bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** The number that 16 bits stand for. */
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1,
    exponent = (bits >> 10) & 31,
    fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function numbers(bytes, entry) {
  const count = entry.shape.reduce((a, b) => a * b, 1),
    data = new Float32Array(count);
  const view = new DataView(bytes.buffer, bytes.byteOffset + entry.offset);
  for (let i = 0; i < count; i++) {
    data[i] = entry.dtype === "float16" ? half(view.getUint16(2 * i, true)) : view.getFloat32(4 * i, true);
  }
  return data;
}

/** A function from a weight's name to {shape, data}. */
export function readWeights(entries, base64) {
  const bytes = bytesOf(base64);
  const found = new Map(entries.map((entry) => [entry.name, { shape: entry.shape, data: numbers(bytes, entry) }]));
  return (name) => {
    if (!found.has(name)) throw new Error(`the page holds no weight called ${name}`);
    return found.get(name);
  };
}
