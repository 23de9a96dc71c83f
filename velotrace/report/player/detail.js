// What is shown of one step: its formulas with numbers, its table, what flows back, operations.

/** An HTML element; text goes in as text, whatever it is. */
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== "" && child !== undefined));
  return element;
};

/** A copy of one of the page's formulas, its places filled by `value`. */
const formula = (data, which, value) => {
  const math = document.importNode(data.formulas[which], true);
  for (const place of math.querySelectorAll("[data-s]")) {
    const text = number(value(place.dataset.s));
    place.textContent = text.startsWith("−") && !("b" in place.dataset) ? `(${text})` : text;
  }
  return math;
};

const LABELS = new Set(["", "cell", "gene", "routes", "weights", "shape"]); // heads of what is no number

const table = (caption, heads, rows, attributes = {}) =>
  make("div", { class: "vt-wide", ...attributes },
    make("table", {},
      make("caption", {}, caption),
      make("thead", {}, make("tr", {}, heads.map((head) =>
        make("th", { scope: "col", class: LABELS.has(head) ? false : "vt-of-numbers" }, head)))),
      make("tbody", {}, rows)));

const STATES = ["induction", "induction steady state", "repression", "repression steady state"];
const MOST_NUMBERS = 6; // of one operation that are shown
const EXTRA = ["state", "latent", "unit"];

/** 'state 1', 'latent 3', … of a component beside its cell and gene. */
const place = (index) =>
  EXTRA.filter((dim) => dim in index).map((dim) => `${dim} ${index[dim] + 1}`).join(", ");

/** The view of one step: everything that a detail needs. */
const view = (data, read, step, follow) => {
  const quantity = data.quantities[step.name];
  const at = {};
  for (const dim of ["cell", "gene"]) if (quantity.dims.includes(dim)) at[dim] = follow[dim];
  const key = `${step.phase === "forward" ? "v" : "d"}:${step.name}`;
  return { data, read, step, follow, quantity, at, key };
};

const label = (data, dim, index) => data.labels[dim][index];

/** The head of a row; a long name may break anywhere. */
const rowHead = (text) => make("th", { scope: "row", class: text.length > 24 ? "vt-long" : false }, text);

/** 'Cell 1, gene A': what is followed, as far as a value has it. */
const followedBy = (data, { dims }, follow) =>
  ["cell", "gene"].filter((dim) => dims.includes(dim))
    .map((dim) => (dim === "gene" ? `gene ${label(data, dim, follow[dim])}` : label(data, dim, follow[dim])))
    .join(", ");
const where = ({ data, quantity, follow }) => followedBy(data, quantity, follow);

// ---- forward --------------------------------------------------------------------------------

const definitionFor = (step, index) =>
  step.definitions.find((one) => one.state === null || one.state === index.state + 1);

/** The formulas of this cell and gene, worked out to the value. */
const workings = (seen) => {
  const { data, read, step, quantity, follow } = seen;
  const found = read.components(seen.key, seen.at);
  const shared = step.definitions.length === 1 && found.length > 1;
  const blocks = [];
  if (shared) {
    blocks.push(make("p", { class: "vt-formula" }, formula(data, quantity.symbol), " = ", formula(data, step.definitions[0].formula)));
  }
  for (const [index, value] of found) {
    const definition = definitionFor(step, index);
    const at = { ...follow, ...index };
    const parts = [];
    if (definition && !shared) parts.push(make("span", {}, formula(data, quantity.symbol), " = ", formula(data, definition.formula)));
    if (definition && definition.numbers >= 0) {
      parts.push(make("span", {}, "= ", formula(data, definition.numbers, (name) => lookedUp(read, step.name, name, at))));
    }
    const result = make("strong", { class: "vt-value", "data-at": JSON.stringify(index) }, number(value));
    parts.push(make("span", {}, definition ? "= " : [formula(data, quantity.symbol), " = "], result, changed(seen, index, value)));
    const name = place(index) + (index.state !== undefined && step.name !== "pi" ? `: ${STATES[index.state]}` : "");
    blocks.push(make("div", { class: "vt-working" }, name ? make("h5", {}, name) : "", make("p", { class: "vt-formula" }, parts)));
  }
  return blocks;
};

/** ' (+0.1 since epoch 0)' where another epoch is shown. */
const changed = (seen, index, value) => {
  const { first, data } = seen;
  if (!first) return "";
  const change = value - first.one(seen.key, { ...seen.follow, ...index });
  return make("small", { class: "vt-change" }, ` ${signed(change)} since epoch ${data.frames[0].epoch}`);
};

/** All cells and genes, those not followed dimmed; in a large scenario those followed alone. */
const everywhere = (seen) => {
  const { data, read, quantity, at, follow, key } = seen;
  const heads = ["cell", "gene"].filter((dim) => quantity.dims.includes(dim));
  if (!heads.length) return [];
  const pairs = heads.reduce((product, dim) => product * data.sizes[dim], 1);
  const groups = new Map();
  for (const [index, value] of read.components(key, pairs > data.mostRows ? at : {})) {
    const group = heads.map((dim) => index[dim]).join();
    if (!groups.has(group)) groups.set(group, { index, values: [] });
    groups.get(group).values.push([index, value]);
  }
  const columns = [...groups.values()][0].values.map(([index]) => place(index) || "value");
  const rows = [...groups.values()].map(({ index, values }) => {
    const chosen = heads.every((dim) => index[dim] === follow[dim]);
    return make("tr", { class: chosen ? "vt-followed" : "vt-dim", "data-cell": index.cell, "data-gene": index.gene },
      heads.map((dim) => rowHead(label(data, dim, index[dim]))),
      values.map(([at, value]) => make("td", { "data-at": JSON.stringify(at) }, number(value))));
  });
  const caption = rows.length < pairs ? `${where(seen)}; one of ${pairs}` : `All ${heads.map((dim) => `${dim}s`).join(" and ")}`;
  return [table(caption, [...heads, ...columns], rows)];
};

// ---- backward -------------------------------------------------------------------------------

/** Contributions of all edges to each component of this cell and gene, and their sum. */
const sums = (seen) => {
  const { read, step } = seen;
  const symbols = step.edges.map(({ user }) => make("span", {}, "from ", formula(seen.data, seen.data.quantities[user].symbol), make("small", {}, ` ${user}`)));
  const rows = read.components(seen.key, seen.at).map(([index, value]) =>
    make("tr", {},
      rowHead(place(index) || where(seen) || "value"),
      step.edges.map(({ user }) =>
        make("td", { "data-user": user, "data-at": JSON.stringify(index) },
          number(read.one(`c:${step.name}>${user}`, { ...seen.follow, ...index })))),
      make("td", { class: "vt-sum" },
        make("strong", { class: "vt-value", "data-at": JSON.stringify(index) }, number(value)), changed(seen, index, value))));
  const caption = where(seen) ? `What arrives at ${where(seen)}` : "What arrives";
  return table(caption, ["", ...symbols, "sum"], rows);
};

/** Pairs of components of one edge and formula at a cell and gene: [of, to]. */
const pairs = (seen, edge, found) => {
  const { data, read, step, follow, quantity } = seen;
  const to = data.quantities[edge.user].dims;
  const wanted = found.state === 0 ? drawn(read, follow) : found.state === null ? undefined : found.state - 1;
  const made = [];
  for (const [of] of read.components(`v:${step.name}`, seen.at)) {
    let later = [{}];
    for (const dim of to) {
      let indices = [dim in follow ? follow[dim] : of[dim]];
      if (dim === "state") {
        indices = [0, 1, 2, 3].filter((state) =>
          (wanted === undefined || state === wanted) &&
          (of.state === undefined || (found.same === false ? state !== of.state : state === of.state)));
      }
      later = later.flatMap((index) => indices.map((i) => ({ ...index, [dim]: i })));
    }
    if (quantity.dims.includes("state") && !to.includes("state") && wanted !== undefined && of.state !== wanted) continue;
    made.push(...later.map((index) => [of, index]));
  }
  return made;
};

/** One edge: its formulas, then upstream × local = contribution row by row. */
const edgeBlock = (seen, edge) => {
  const { data, read, step } = seen;
  const user = data.quantities[edge.user];
  const head = make("h5", {}, "From ", formula(data, user.symbol), ` ${edge.user}`);
  if (edge.words) return make("div", { class: "vt-edge-block" }, head, make("p", {}, edge.words));
  const blocks = [];
  let quiet = 0;
  edge.formulas.forEach((found, which) => {
    const rows = [];
    for (const [of, to] of pairs(seen, edge, found)) {
      const upstream = read.one(`d:${edge.user}`, to);
      if (upstream === 0) { quiet += 1; continue; }
      rows.push(edgeRow(seen, edge, found, which, of, to, upstream));
    }
    if (rows.length) {
      blocks.push(make("p", { class: "vt-formula" }, formula(data, found.formula), found.state ? ` in state ${found.state}` : ""));
      blocks.push(make("ul", { class: "vt-rows" }, rows));
    }
  });
  const notes = [];
  if (quiet && blocks.length) notes.push("At the other states the upstream adjoint is 0.");
  if (quiet && !blocks.length) notes.push(`The upstream adjoint is 0 at ${followedBy(data, user, seen.follow)}, so nothing arrives from there.`);
  const rest = elsewhere(seen, edge);
  if (rest !== undefined) notes.push(`All other cells together send ${number(rest)}.`);
  return make("div", { class: "vt-edge-block", "data-user": edge.user }, head, blocks, notes.map((note) => make("p", {}, note)));
};

const localOf = (seen, edge, which, of, to) =>
  seen.read.one(`l:${seen.step.name}>${edge.user}:${which}`, { ...to, ...of, later_state: to.state, state: of.state ?? to.state });

const edgeRow = (seen, edge, found, which, of, to, upstream) => {
  const { data, read, step } = seen;
  const local = localOf(seen, edge, which, of, to);
  const value = (name) => lookedUp(read, step.name, name, name === "g" ? of : { ...of, ...to });
  const at = of.state !== undefined && to.state !== undefined && of.state !== to.state
    ? `state ${to.state + 1} by ${of.state + 1}` : place({ ...of, ...to });
  const times = number(upstream);
  return make("li", { class: "vt-formula", "data-of": JSON.stringify(of), "data-to": JSON.stringify(to) },
    at ? make("b", {}, at) : "",
    make("span", {}, found.numbers >= 0 ? [formula(data, found.numbers, value), " = "] : "",
      make("span", { class: "vt-local" }, number(local))),
    make("span", {}, "× ", make("span", { class: "vt-upstream" }, times.startsWith("−") ? `(${times})` : times)),
    make("span", {}, "= ", make("strong", { class: "vt-product" }, number(local * upstream))));
};

/** What the other cells send along an edge to a value that all cells share. */
const elsewhere = (seen, edge) => {
  const { data, step, follow, quantity } = seen;
  if (quantity.dims.includes("cell") || !data.quantities[edge.user].dims.includes("cell") || data.sizes.cell < 2) return undefined;
  let sum = 0;
  for (let cell = 0; cell < data.sizes.cell; cell += 1) {
    if (cell === follow.cell) continue;
    const other = { ...seen, follow: { ...follow, cell } };
    edge.formulas.forEach((found, which) => {
      for (const [of, to] of pairs(other, edge, found)) {
        sum += localOf(other, edge, which, of, to) * seen.read.one(`d:${edge.user}`, to);
      }
    });
  }
  return sum;
};

const certified = (seen) => {
  const found = seen.read.frame.certificates[seen.step.name];
  if (!found) return [];
  const rows = found.pairs.map(({ routes, apart, bound }) =>
    make("tr", {}, make("th", { scope: "row" }, routes),
      make("td", {}, short(unpack(apart)[0])), make("td", {}, short(unpack(bound)[0]))));
  const verdict = { holds: "holds", kink: "holds; at a kink there is no quotient", BREACH: "is breached" }[found.verdict];
  return [make("p", { class: found.verdict === "BREACH" ? "vt-bad" : "vt-good" }, make("strong", {}, `Certificate ${verdict}`),
    `: three routes to ${found.components === 1 ? "this number" : `its ${found.components} numbers`}`,
    found.checked < found.components ? `; finite differences checked ${found.checked} of them.` : "."),
    table("Largest difference, and the bound where it comes closest", ["routes", "apart", "bound"], rows)];
};

const short = (x) => (Number.isNaN(x) ? "—" : x === 0 ? "0" : x.toExponential(1).replace("-", "−"));

// ---- both -----------------------------------------------------------------------------------

const weights = ({ read, step }) => {
  if (!step.weights.length) return [];
  const forward = step.phase === "forward";
  const fields = forward ? ["smallest", "largest"] : ["largest", "norm"];
  const rows = step.weights.map((name) => {
    const found = read.frame.weights[`${step.phase}:${name}`];
    return make("tr", { "data-weights": name }, make("th", { scope: "row" }, make("code", {}, name)), make("td", {}, found.shape.join(" × ")),
      fields.map((field) => make("td", {}, number(unpack(found[field])[0]))));
  });
  const caption = forward ? "Weights and biases used here" : "Gradients of weights and biases that are now complete";
  return [table(caption, ["weights", "shape", forward ? "smallest" : "largest gradient", forward ? "largest" : "norm"], rows)];
};

/** The primitive operations inside, with the numbers of this cell and gene. */
const opened = (seen) => {
  const { data, step, read } = seen;
  const forward = step.phase === "forward";
  const inside = data.operations.inside[data.steps.indexOf(step)];
  if (!inside.length) return [make("p", {}, forward ? "It is given; no operation computes it." : "Nothing comes after it: its gradient is 1.")];
  const start = { cell: data.start[0], gene: data.start[1] };
  const kept = data.operations.whole || (start.cell === seen.follow.cell && start.gene === seen.follow.gene);
  const values = (key) => {
    if (!kept || !read.has(key)) return "";
    const found = read.components(key, seen.follow).map(([, value]) => number(value));
    return found.length > MOST_NUMBERS ? `${found.slice(0, 3).join(", ")}, …, ${found.at(-1)} (${found.length} numbers)` : found.join(", ");
  };
  const letter = forward ? "p" : "q";
  const rows = inside.map(([ordinal, sent]) => {
    const op = data.operations.entries[ordinal];
    return make("tr", { "data-ordinal": ordinal },
      make("th", { scope: "row" }, op.label),
      make("td", {}, `${op.operation}(${op.inputs.join(", ")})`),
      make("td", {}, values(`${letter}:${ordinal}`)),
      forward ? "" : make("td", {}, sent.map(([to, towards], i) =>
        make("div", { class: towards ? "vt-towards" : "vt-dim" }, `to ${to}${kept && read.has(`q:${ordinal}:${i}`) ? `: ${values(`q:${ordinal}:${i}`)}` : ""}`))),
      make("td", {}, make("code", {}, op.line)));
  });
  const heads = forward ? ["result", "operation", "value", "code"] : ["result", "operation", "its gradient", "sends on", "code"];
  const note = kept ? "" : make("p", {}, `Their numbers are kept for ${data.labels.cell[start.cell]} and gene ${data.labels.gene[start.gene]} only.`);
  return [make("h4", {}, "Operations inside"), note, table("In the order in which they ran", heads, rows, { class: "vt-wide vt-operations" })];
};

/** All that is shown of a step. */
const detail = (seen) => {
  const { step } = seen;
  const forward = step.phase === "forward";
  const symbol = forward ? formula(seen.data, seen.quantity.symbol)
    : [make("span", { class: "vt-slope" }, "∂L/∂"), formula(seen.data, seen.quantity.symbol)];
  const facts = [step.unit === "1" ? "without unit" : step.unit];
  if (step.equation !== "—") facts.push(/^\d/.test(step.equation) ? `equation ${step.equation}` : step.equation);
  if (step.document) facts.push(`document section ${step.document}`);
  const parts = [
    make("h3", {}, symbol, " ", make("code", {}, step.title)),
    make("p", {}, forward ? step.sentence : `How the loss moves with ${step.name}: ${step.sentence}`),
    make("p", { class: "vt-facts" }, facts.join(" · "), seen.data.chapters
      ? [" · ", make("a", { href: `${step.chapter}.html` }, `chapter ${step.section}`)] : ""),
  ];
  if (forward) {
    parts.push(make("h4", {}, where(seen) ? `At ${where(seen)}` : "Value"), ...workings(seen), ...everywhere(seen));
    if (step.noPath) parts.push(make("p", { class: "vt-note" }, `No gradient comes back to it: ${step.noPath}.`));
  } else {
    parts.push(make("h4", {}, "Upstream × local, edge by edge"));
    parts.push(step.edges.length ? sums(seen) : make("p", {}, "The loss moves with itself one for one: its gradient is ",
      make("strong", { class: "vt-value", "data-at": "{}" }, number(seen.read.one(seen.key, {}))), "."));
    parts.push(...step.edges.map((edge) => edgeBlock(seen, edge)), ...everywhere(seen), ...certified(seen));
  }
  parts.push(...weights(seen));
  if (step.legend.length) parts.push(make("p", { class: "vt-legend" }, `Here ${step.legend.join("; ")}.`));
  return parts;
};

/** The step in a sentence, for the live region. */
const announced = (seen, index) => {
  const values = seen.read.components(seen.key, seen.at).slice(0, 4)
    .map(([at, value]) => `${place(at) ? `${place(at)} ` : ""}${number(value)}`);
  const at = where(seen) ? `${where(seen)}: ` : "";
  return `Step ${index + 1} of ${seen.data.steps.length}, ${seen.step.phase}: ${seen.step.title}. ${at}${values.join(", ")}.`;
};
