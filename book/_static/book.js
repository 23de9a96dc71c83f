// Small corrections in the reader's browser.
(() => {
  "use strict";

  // Search shows excerpts by fetching the pages, which a browser forbids to a page opened from the disk.
  if (location.protocol === "file:") {
    DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
  }

  // What scrolls sideways can be reached and scrolled with the keyboard, and says what it is; what fits is no tab stop.
  const boxes = {
    ".pst-scrollable-table-container": "Table, scrolls sideways",
    ".cell_output .text_html": "Output, scrolls sideways",
    "div.cell_output:has(> :is(figure, a, img))": "Figure, scrolls sideways",
    "div.cell_output p:has(> img)": "Figure, scrolls sideways",
    "div.math mjx-container": "Formula, scrolls sideways",
    "span.math": "Formula, scrolls sideways",
  };

  // A column that lies beyond the edge would not be missed: the edge fades as long as something does.
  const more = (box) => box.classList.toggle("goes-on", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);

  const mark = (box, label) => {
    const wide = box.scrollWidth > box.clientWidth; // if only by one pixel: it is a scroller then
    box.classList.toggle("scrolls", wide);
    more(box);
    box.onscroll = () => more(box);
    if (wide) {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", label);
    } else if (box.getAttribute("aria-label") === label) {
      ["tabindex", "role", "aria-label"].forEach((name) => box.removeAttribute(name));
    }
  };

  const markAll = () => {
    for (const [selector, label] of Object.entries(boxes)) {
      document.querySelectorAll(selector).forEach((box) => mark(box, label));
    }
  };

  addEventListener("load", () => {
    markAll();
    window.MathJax?.startup?.promise?.then(markAll);
    new ResizeObserver(markAll).observe(document.querySelector("main"));
    addEventListener("toggle", markAll, true);
  });
})();
