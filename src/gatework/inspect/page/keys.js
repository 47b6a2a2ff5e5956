// The keyboard: arrows move in time and among units, Shift marks a stretch, / searches, space plays.

const PAGE_STEP = 40,
  BEAT = 120; // steps; milliseconds

export function listenKeys(app) {
  const { view } = app;
  let timer = 0;
  const stop = () => {
    clearInterval(timer);
    timer = 0;
  };
  const move = (by) => view.set({ t: clamped(view.get("t") + by), hover: null });
  const clamped = (t) => Math.min(Math.max(t, 0), Math.max(app.reading.done - 1, 0));
  const play = () => {
    if (timer) return stop();
    timer = setInterval(() => (view.get("t") >= app.reading.done - 1 ? stop() : move(1)), BEAT);
  };
  const extend = (by) => {
    const t = view.get("t"),
      { from, to } = view.values,
      next = clamped(t + by);
    const anchor = from === null ? t : t === from ? to : from;
    view.set({ from: Math.min(anchor, next), to: Math.max(anchor, next) });
    move(by);
  };
  const keys = {
    ArrowLeft: () => move(-1),
    ArrowRight: () => move(1),
    ArrowUp: () => app.moveUnit(-1),
    ArrowDown: () => app.moveUnit(1),
    PageUp: () => move(-PAGE_STEP),
    PageDown: () => move(PAGE_STEP),
    Home: () => move(-Infinity),
    End: () => move(Infinity),
    " ": play,
    Escape: () => {
      stop();
      view.set({ from: null, to: null });
    },
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = /** @type {Element} */ (event.target);
    const typing = target.matches?.("input, textarea, select");
    if (event.key === "/" && !typing) {
      const box = document.getElementById("search");
      if (!box) return;
      event.preventDefault();
      box.focus();
      return;
    }
    if (!target.closest?.("[data-grid]") || !(event.key in keys) || !app.reading) return;
    event.preventDefault();
    if (event.shiftKey && event.key === "ArrowLeft") extend(-1);
    else if (event.shiftKey && event.key === "ArrowRight") extend(1);
    else keys[event.key]();
  });
}
