"use strict";
// One zoom for all pictures: three CSS variables on their common parent, so that no picture can
// fall out of step. x and y move a picture by fractions of its own size.
for (const section of document.querySelectorAll("[data-pictures]")) {
  const walls = section.querySelector("[data-walls]");
  const readout = section.querySelector("[data-readout]");
  const select = section.querySelector("[data-signal]");
  const turn = section.querySelector("[data-turn]");
  const largest = 32;
  let zoom = 1, x = 0, y = 0;

  const between = (value, low, high) => Math.min(Math.max(value, low), high);

  function show() {
    x = between(x, 1 - zoom, 0);
    y = between(y, 1 - zoom, 0);
    walls.style.setProperty("--zoom", zoom);
    walls.style.setProperty("--x", x);
    walls.style.setProperty("--y", y);
    walls.classList.toggle("zoomed", zoom > 1);
    readout.textContent = "×" + Number(zoom.toFixed(1));
    // Nearest pixels tell the truth when enlarged, and lie when reduced.
    const image = walls.querySelector(".wall:not([hidden]) .picture");
    if (image && image.clientWidth) {
      const enlarged = image.clientWidth * zoom >= image.naturalWidth;
      walls.classList.toggle("pixelated", enlarged);
    }
  }

  // Zoom by a factor around a point, given in fractions of a view.
  function zoomAt(factor, px, py) {
    const next = between(zoom * factor, 1, largest);
    x = px - (px - x) * next / zoom;
    y = py - (py - y) * next / zoom;
    zoom = next;
    show();
  }

  function whole() {
    zoom = 1; x = 0; y = 0;
    show();
  }

  function mode(name) {
    walls.dataset.show = name;
    for (const button of section.querySelectorAll("[data-mode]"))
      button.setAttribute("aria-pressed", String(button.dataset.mode === name));
  }

  // One wall is seen: of the chosen signal, the view that the slider is at.
  function choose() {
    const all = [...walls.querySelectorAll("[data-wall]")];
    const views = all.filter(wall => wall.dataset.wall === (select ? select.value : "0"));
    const chosen = views[turn ? between(Number(turn.value), 0, views.length - 1) : 0];
    for (const wall of all) wall.hidden = wall !== chosen;
    if (turn) {
      turn.max = views.length - 1;
      turn.setAttribute("aria-valuetext", chosen.dataset.view);
    }
  }

  for (const button of section.querySelectorAll("[data-mode]"))
    button.addEventListener("click", () => mode(button.dataset.mode));
  for (const button of section.querySelectorAll("[data-zoom]"))
    button.addEventListener("click", () => {
      const factor = Number(button.dataset.zoom);
      if (factor) zoomAt(factor, 0.5, 0.5); else whole();
    });
  if (select) select.addEventListener("change", () => { choose(); whole(); });
  if (turn) turn.addEventListener("input", () => { choose(); show(); });
  choose();  // a browser may have kept what was chosen before

  walls.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = {ArrowLeft: [0.15, 0], ArrowRight: [-0.15, 0], ArrowUp: [0, 0.15], ArrowDown: [0, -0.15]};
    if (event.key === "+" || event.key === "=") zoomAt(2, 0.5, 0.5);
    else if (event.key === "-") zoomAt(0.5, 0.5, 0.5);
    else if (event.key === "0") whole();
    else if (event.key === "e") mode(walls.dataset.show === "error" ? "picture" : "error");
    else if (event.key in moves && zoom > 1) {
      x += moves[event.key][0];
      y += moves[event.key][1];
      show();
    } else return;
    event.preventDefault();
  });

  const place = (event, view) => {
    const box = view.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };

  // The wheel scrolls the page until the pictures have been clicked, or while Ctrl is held.
  walls.addEventListener("wheel", event => {
    const view = event.target.closest(".view");
    const wanted = event.ctrlKey || walls.contains(document.activeElement);
    const further = event.deltaY < 0 ? zoom < largest : zoom > 1;
    if (!view || !wanted || !(further || event.ctrlKey)) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 30 : 1;
    zoomAt(Math.exp(-between(event.deltaY * lines, -120, 120) / 300), ...place(event, view));
  }, {passive: false});

  const held = new Map();
  const spread = points => Math.hypot(points[0][0] - points[1][0], points[0][1] - points[1][1]);
  const middle = points => [0, 1].map(i => points.reduce((sum, p) => sum + p[i], 0) / points.length);

  walls.addEventListener("pointerdown", event => {
    const view = event.target.closest(".view");
    if (!view) return;
    walls.focus({preventScroll: true});
    held.set(event.pointerId, {view, at: [event.clientX, event.clientY]});
    if (zoom > 1 || held.size > 1) {
      view.setPointerCapture(event.pointerId);
      walls.classList.add("dragging");
    }
  });
  walls.addEventListener("pointermove", event => {
    const moved = held.get(event.pointerId);
    if (!moved) return;
    const before = [...held.values()].map(pointer => pointer.at);
    moved.at = [event.clientX, event.clientY];
    const after = [...held.values()].map(pointer => pointer.at);
    const box = moved.view.getBoundingClientRect();
    const [from, to] = [middle(before), middle(after)];
    x += (to[0] - from[0]) / box.width;
    y += (to[1] - from[1]) / box.height;
    if (held.size === 2 && spread(before) > 0)
      zoomAt(spread(after) / spread(before), (to[0] - box.left) / box.width, (to[1] - box.top) / box.height);
    else show();
  });
  for (const end of ["pointerup", "pointercancel"])
    window.addEventListener(end, event => {
      held.delete(event.pointerId);
      if (!held.size) walls.classList.remove("dragging");
    });
  walls.addEventListener("dblclick", event => {
    const view = event.target.closest(".view");
    if (view) zoomAt(2, ...place(event, view));
  });
  window.addEventListener("resize", show);
  window.addEventListener("load", show);
}
