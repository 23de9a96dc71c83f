// A slider over the epochs of a training: moves what is drawn already, from numbers in the page.
(() => {
  "use strict";
  for (const box of document.querySelectorAll(".vt-evolution:not(.vt-ready)")) {
    const told = JSON.parse(box.querySelector('script[type="application/json"]').textContent);
    const range = box.querySelector("input");
    const output = box.querySelector("output");
    const [portraits, parameters] = [...box.querySelectorAll(".vt-evolution-grid")].map((grid) => [...grid.children]);

    const show = (stop) => {
      output.textContent = told.said[stop];
      range.setAttribute("aria-valuetext", told.said[stop]);
      portraits.forEach((panel, gene) => {
        panel.querySelectorAll(".up, .down").forEach((path, branch) => path.setAttribute("d", told.curves[gene][stop][branch]));
      });
      parameters.forEach((panel, parameter) => {
        const x = told.x[stop];
        panel.querySelector(".cursor").setAttribute("transform", `translate(${x} 0)`);
        panel.querySelectorAll(".mark").forEach((mark, gene) => {
          const y = told.marks[parameter][gene][stop];
          mark.setAttribute("transform", `translate(${x} ${y ?? -99})`); // a run that has stopped has no mark
        });
        panel.querySelectorAll("b").forEach((value, gene) => {
          value.textContent = told.values[parameter][gene][stop];
        });
      });
    };

    box.querySelectorAll("[hidden]").forEach((part) => (part.hidden = false));
    range.addEventListener("input", () => show(Number(range.value)));
    box.classList.add("vt-ready");
    show(Number(range.value)); // a browser may have kept where it stood
  }
})();
