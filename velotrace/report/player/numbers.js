// Numbers of the page: read from base64, looked up by their dimensions, shown with six digits.

/** An array of float64 from its base64. */
const unpack = (text) =>
  new Float64Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);

/** A number as all of velotrace's tables show it: Python's format(x, ".6g") with a minus sign. */
const number = (x) => {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "−inf";
  if (x === 0) return "0";
  const [digits, power] = rounded(Math.abs(x), 6).split("e");
  const exponent = Number(power);
  const sign = x < 0 ? "−" : "";
  if (exponent < -4 || exponent >= 6) {
    return `${sign}${trimmed(digits)}e${exponent < 0 ? "-" : "+"}${Math.abs(exponent)}`.replace("e-", "e−");
  }
  const plain = digits.replace(".", "");
  const text = exponent < 0
    ? `0.${"0".repeat(-exponent - 1)}${plain}`
    : `${plain.slice(0, exponent + 1)}.${plain.slice(exponent + 1)}`;
  return sign + trimmed(text);
};

const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0*$/, "") : text);

/** Exponential notation; what lies halfway goes to the even digit, as in Python. */
const rounded = (x, digits) => {
  const up = x.toExponential(digits - 1);
  const [whole] = x.toExponential(60).split("e");
  const tail = whole.replace(".", "").slice(digits);
  if (!/^50*$/.test(tail)) return up;
  const [, power] = x.toExponential(60).split("e");
  const kept = whole.replace(".", "").slice(0, digits);
  if (Number(kept.at(-1)) % 2) return up;
  return `${kept[0]}.${kept.slice(1)}e${power}`;
};

/** A difference with its sign. */
const signed = (x) => (x > 0 ? `+${number(x)}` : number(x));

/** Reads the arrays of one frame; each is unpacked when it is first asked for. */
const reader = (data, frame) => {
  const known = new Map();
  const array = (key) => {
    if (!known.has(key)) known.set(key, unpack(frame.arrays[key]));
    return known.get(key);
  };
  const sizes = { ...data.sizes, one: 1 };

  /** Sizes of the axes; that of 'unit' is what is left. */
  const shape = (dims, length) => {
    const rest = dims.reduce((left, dim) => left / (sizes[dim] ?? 1), length);
    return dims.map((dim) => sizes[dim] ?? rest);
  };
  const dimsOf = (key) => {
    const [kind, name] = key.split(":");
    return data.dims[key] ?? data.quantities[kind === "c" ? name.split(">")[0] : name].dims;
  };

  /** Every component whose indices agree with those given: [indices, number]. */
  const components = (key, at) => {
    const dims = dimsOf(key);
    const numbers = array(key);
    let found = [[{}, 0]];
    shape(dims, numbers.length).forEach((size, axis) => {
      const dim = dims[axis];
      const fixed = dim === "one" ? 0 : at[dim];
      const indices = fixed === undefined ? [...Array(size).keys()] : [fixed];
      found = found.flatMap(([index, offset]) =>
        indices.map((i) => [{ ...index, [dim]: i }, offset * size + i]));
    });
    return found.map(([index, offset]) => [index, numbers[offset]]);
  };
  const one = (key, at) => {
    const dims = dimsOf(key);
    const numbers = array(key);
    const offset = shape(dims, numbers.length).reduce((sum, size, axis) => sum * size + at[dims[axis]], 0);
    return numbers[offset];
  };
  const has = (key) => key in frame.arrays;
  return { one, components, dimsOf, has, frame };
};

/** Index of the state drawn for a cell and gene; undefined where none is drawn. */
const drawn = (read, at) =>
  read.has("v:state") && "cell" in at && "gene" in at ? read.one("v:state", at) - 1 : undefined;

/** The number that a place in a formula stands for. */
const lookedUp = (read, of, name, at) => {
  const [plain, indices] = name.split("@");
  const where = { ...at };
  for (const pair of indices ? indices.split(",") : []) {
    const [dim, index] = pair.split("=");
    where[dim] = Number(index);
  }
  where.state ??= drawn(read, where);
  if (plain === "a") return read.one(`x:a:${of}`, where);
  return read.one(read.has(`v:${plain}`) ? `v:${plain}` : `x:${plain}`, where);
};
