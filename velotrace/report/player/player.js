// The controls: which step, level, cell, gene and epoch; the graph; keys; the address.

const PLAYERS = [];
const DELAY = 1500; // milliseconds between two steps while playing

const isTyping = (target) =>
  target.closest?.("textarea, select, [contenteditable=''], [contenteditable=true], input:not([type=range])");

const start = (root) => {
  const data = JSON.parse(root.querySelector(".vt-data").textContent);
  data.formulas = root.querySelector(".vt-formulas").content.children;
  const readers = data.frames.map((frame) => reader(data, frame));
  const find = (selector) => root.querySelector(selector);
  const part = {
    slider: find(".vt-slider"), count: find(".vt-count"), panel: find(".vt-step"), inside: find(".vt-inside"), live: find(".vt-live"),
    play: find("[data-do=play]"), search: find(".vt-search"), level: find(".vt-level"), picture: find(".vt-picture"),
    cell: find(".vt-cell"), gene: find(".vt-gene"), epochs: find(".vt-epochs"), epoch: find(".vt-epoch"), missing: find(".vt-missing"),
  };
  const last = data.steps.length - 1;
  const initial = { step: 0, level: 1, cell: data.start[0], gene: data.start[1], frame: 0 };
  let state = { ...initial };
  let timer = 0;
  let waiting = 0;

  // ---- showing --------------------------------------------------------------------------------

  const nodes = new Map([...root.querySelectorAll(".vt-node")].map((node) => [node.dataset.name, node]));
  const edges = [...root.querySelectorAll(".vt-edge")];
  const done = { forward: new Map(), backward: new Map() };
  data.steps.forEach((step, index) => done[step.phase].set(step.name, index));

  const mark = (step) => {
    for (const [name, node] of nodes) {
      const visited = done[step.phase].get(name);
      node.setAttribute("class", "vt-node");
      node.classList.toggle("vt-now", name === step.name);
      node.classList.toggle("vt-done", visited < state.step);
      node.classList.toggle("vt-off", step.phase === "backward" && visited === undefined);
    }
    for (const edge of edges) {
      const { of, to } = edge.dataset;
      const active = step.phase === "forward" ? to === step.name : of === step.name && step.edges.some(({ user }) => user === to);
      edge.setAttribute("class", active ? "vt-edge vt-active" : "vt-edge");
      if (active) nodes.get(step.phase === "forward" ? of : to)?.classList.add("vt-near");
    }
    root.dataset.phase = step.phase;
    cancelAnimationFrame(waiting); // what needs the layout waits for it
    waiting = requestAnimationFrame(() => { centre(nodes.get(step.name)); markScrolling(); });
  };

  /** Bring a node into the middle of the picture's own scroll box; the page itself stays. */
  const centre = (node) => {
    const box = part.picture;
    if (box.scrollWidth <= box.clientWidth && box.scrollHeight <= box.clientHeight) return;
    const [here, there] = [box.getBoundingClientRect(), node.getBoundingClientRect()];
    box.scrollLeft += there.left + there.width / 2 - here.left - here.width / 2;
    box.scrollTop += there.top + there.height / 2 - here.top - here.height / 2;
  };

  /** What is wider than its place can be reached and scrolled with the keyboard. */
  const markScrolling = () => {
    for (const box of root.querySelectorAll(".vt-wide, .vt-formula, h3")) {
      const wide = box.scrollWidth > box.clientWidth + 1;
      if (wide) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };

  const show = () => {
    const begun = performance.now();
    const step = data.steps[state.step];
    const seen = view(data, readers[state.frame], step, { cell: state.cell, gene: state.gene });
    seen.first = state.frame ? readers[0] : undefined;
    part.panel.replaceChildren(...detail(seen));
    part.inside.replaceChildren(...(state.level === 2 ? opened(seen) : []));
    part.slider.value = state.step;
    const phase = step.phase === "forward" ? "forward" : "backward";
    part.slider.setAttribute("aria-valuetext", `step ${state.step + 1} of ${last + 1}, ${phase}, ${step.title}`);
    part.count.textContent = `step ${state.step + 1} of ${last + 1} · ${phase} · ${step.section}`;
    part.level.setAttribute("aria-pressed", String(state.level === 2));
    part.cell.value = state.cell;
    part.gene.value = state.gene;
    if (part.epochs) {
      part.epochs.value = state.frame;
      const { epoch } = data.frames[state.frame];
      part.epochs.setAttribute("aria-valuetext", `epoch ${epoch}`);
      part.epoch.textContent = `epoch ${epoch}`;
    }
    mark(step);
    const milliseconds = performance.now() - begun;
    part.live.textContent = announced(seen, state.step);
    root.dispatchEvent(new CustomEvent("velotrace-step", { detail: { ...state, milliseconds } }));
  };

  // ---- the address: #player.step=u_bar&player.cell=Cell+1 …; other players' parts are kept ------

  const KEYS = ["step", "level", "cell", "gene", "epoch"];
  const written = () => {
    const step = data.steps[state.step];
    return {
      step: `${step.phase === "forward" ? "" : "grad."}${step.name}`,
      level: state.level, cell: data.names.cell[state.cell], gene: data.names.gene[state.gene],
      epoch: data.frames.length > 1 ? data.frames[state.frame].epoch : undefined,
    };
  };
  const parameters = () => new URLSearchParams(location.hash.slice(1));

  const write = (replace) => {
    const hash = parameters();
    for (const [key, value] of Object.entries(written())) {
      if (value !== undefined) hash.set(`${root.id}.${key}`, value);
    }
    const address = `#${hash}`;
    if (address === location.hash) return;
    if (replace) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
  };

  const stepCalled = (text) => {
    const back = text.startsWith("grad.");
    const name = back ? text.slice(5) : text;
    const found = done[back ? "backward" : "forward"].get(name);
    return found ?? (/^\d+$/.test(text) ? Math.min(Math.max(Number(text) - 1, 0), last) : -1);
  };

  const readAddress = () => {
    const hash = parameters();
    const [step, level, cell, gene, epoch] = KEYS.map((key) => hash.get(`${root.id}.${key}`));
    const at = (labels, text, otherwise) => (labels.includes(text) ? labels.indexOf(text) : otherwise);
    const wanted = step === null ? initial.step : stepCalled(step);
    state = {
      step: wanted < 0 ? initial.step : wanted,
      level: level === "2" ? 2 : 1,
      cell: at(data.names.cell, cell, initial.cell),
      gene: at(data.names.gene, gene, initial.gene),
      frame: at(data.frames.map((frame) => String(frame.epoch)), epoch, initial.frame),
    };
  };

  /** Change the state, show it, and note it in the address. */
  const go = (change, replace = false) => {
    const next = { ...state, ...change };
    next.step = Math.min(Math.max(next.step, 0), last);
    if (Object.keys(next).every((key) => next[key] === state[key])) return;
    state = next;
    show();
    write(replace);
  };

  // ---- playing --------------------------------------------------------------------------------

  const stop = () => {
    clearInterval(timer);
    timer = 0;
    part.play.setAttribute("aria-label", "Play");
    part.play.classList.remove("vt-playing");
  };
  const play = () => {
    if (timer) { stop(); return; }
    if (state.step === last) go({ step: 0 });
    timer = setInterval(() => {
      go({ step: state.step + 1 }, true);
      if (state.step === last) stop();
    }, DELAY);
    part.play.setAttribute("aria-label", "Pause");
    part.play.classList.add("vt-playing");
  };

  const actions = {
    first: () => { stop(); go({ step: 0 }); },
    back: () => { stop(); go({ step: state.step - 1 }); },
    play,
    forward: () => { stop(); go({ step: state.step + 1 }); },
    last: () => { stop(); go({ step: last }); },
  };

  // ---- what the reader does -------------------------------------------------------------------

  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (button) actions[button.dataset.do]();
    const node = event.target.closest(".vt-node");
    if (node) jump(node.dataset.name);
    const row = event.target.closest("tr[data-cell], tr[data-gene]");
    if (row) {
      const { cell, gene } = row.dataset;
      go({ ...(cell && { cell: Number(cell) }), ...(gene && { gene: Number(gene) }) });
    }
  });

  /** To a named value: its gradient where the backward pass is on show and it has one. */
  const jump = (name) => {
    stop();
    const phase = data.steps[state.step].phase;
    go({ step: done[phase].get(name) ?? done.forward.get(name) });
  };

  const search = (exactly) => {
    const wanted = part.search.value.trim().toLowerCase();
    if (!wanted) return;
    const titles = data.steps.map((step) => step.title.toLowerCase());
    let found = titles.indexOf(wanted);
    if (found < 0 && !exactly) {
      found = data.steps.findIndex((step) =>
        step.title.toLowerCase().includes(wanted) || data.quantities[step.name].plain.toLowerCase() === wanted ||
        step.weights.some((name) => name.toLowerCase().includes(wanted)));
    }
    part.missing.textContent = found < 0 && !exactly ? "No step is called that." : "";
    if (found >= 0) { stop(); go({ step: found }); }
  };
  part.search.addEventListener("input", () => search(true));
  part.search.addEventListener("change", () => search(false));
  part.search.addEventListener("keydown", (event) => { if (event.key === "Enter") search(false); });

  part.slider.addEventListener("input", () => { stop(); go({ step: Number(part.slider.value) }, true); });
  part.slider.addEventListener("change", () => write(false));
  part.cell.addEventListener("change", () => go({ cell: Number(part.cell.value) }));
  part.gene.addEventListener("change", () => go({ gene: Number(part.gene.value) }));
  part.level.addEventListener("click", () => go({ level: 3 - state.level }));
  part.epochs?.addEventListener("input", () => go({ frame: Number(part.epochs.value) }));

  const KEYS_TO = { ArrowLeft: "back", ArrowRight: "forward", Home: "first", End: "last", " ": "play" };
  const player = { root, everywhere: root.dataset.keys === "page" };
  document.addEventListener("keydown", (event) => {
    const action = KEYS_TO[event.key];
    if (!action || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey || isTyping(event.target)) return;
    const inside = PLAYERS.find(({ root: other }) => other.contains(event.target));
    if (inside ? inside !== player : !(player.everywhere && player === PLAYERS.at(0))) return;
    if (event.target.matches?.("input[type=range]")) return; // it moves by itself
    if (event.key === " " && event.target.closest?.("button, summary, a")) return; // it is pressed
    event.preventDefault();
    actions[action]();
  });

  addEventListener("popstate", () => { stop(); readAddress(); show(); });
  addEventListener("beforeprint", () => stop());

  PLAYERS.push(player);
  new ResizeObserver(() => { markScrolling(); centre(nodes.get(data.steps[state.step].name)); }).observe(root);
  root.classList.add("vt-ready");
  readAddress();
  show();
};

for (const root of document.querySelectorAll(".vt:not(.vt-ready)")) start(root);
