// Puts the page together: the sections in order, then the reading of the text, then the address.
import { showOverview, showCheck } from "./overview.js";
import { startCtc } from "./ctc_page.js";
import { startLabels } from "./labels_page.js";
import { showOwnLessons } from "./lesson_own.js";
import { startLessons } from "./lessons.js";
import { startPairs } from "./pairs.js";
import { App } from "./app.js";
import { showSelectionBar } from "./selection_bar.js";
import { showComparison } from "./compare.js";
import { showDiagram } from "./diagram.js";
import { byId, say } from "./dom.js";
import { showFinder } from "./finder.js";
import { showHeat } from "./heat.js";
import { listenKeys } from "./keys.js";
import { showTyping } from "./typing.js";
import { showMemory } from "./memory.js";
import { showMethods } from "./methods.js";
import { showSaturation } from "./saturation.js";
import { showSeries } from "./series.js";
import { fromHash, toHash } from "./store.js";
import { showText } from "./text.js";
import { showWhy } from "./why.js";

const VIEWED = ["layer", "name", "unit", "t", "sort", "rescale", "from", "to", "held", "mark"];

function start() {
  const payload = JSON.parse(byId("payload").textContent ?? "");
  const own = { pairs: startPairs, ctc: startCtc, labels: startLabels, lessons: startLessons }[payload.kind];
  if (own) return own(payload, byId("weights").textContent);
  const app = new App(payload, byId("weights").textContent);
  app.view.set(fromHash(location.hash, app));
  app.reading?.advance(150); // enough for the first view
  app.view.set({ done: app.reading?.done ?? 0 });
  show(app);
  keepAddress(app);
  listenKeys(app);
  if (app.reading) finish(app);
  else document.body.dataset.ready = "yes";
  app.firstView = performance.now();
  Object.assign(window, { gatework: app }); // for whoever looks into the page with the browser's own tools
}

function show(app) {
  const text = app.payload.kind === "text",
    alive = Boolean(app.network && app.reading);
  showOverview(app);
  if (app.network && text) showTyping(app);
  if (app.network && !text) showSeries(app);
  showSelectionBar(app);
  if (alive) showText(app);
  if (alive && text) showWhy(app);
  showFinder(app);
  if (alive) showHeat(app);
  showDiagram(app);
  showSaturation(app);
  showMemory(app);
  if (alive && text) showOwnLessons(app);
  showComparison(app);
  showMethods(app);
}

async function finish(app) {
  app.view.on(["done"], () => showCheck(app));
  showCheck(app);
  await app.read(app.own);
  document.body.dataset.ready = "yes";
  if (!app.payload.check)
    byId("check").textContent = "This page holds no stretch to check itself against Python.";
  say("The whole text is read.");
}

/** The address follows the view, and the view an address that is changed by hand or by going back. */
function keepAddress(app) {
  let written = "";
  app.view.on(VIEWED, () => {
    written = toHash(app.view.values);
    try {
      history.replaceState(null, "", written);
    } catch {
      /* a frame without an address of its own, as in a notebook */
    }
  });
  window.addEventListener("hashchange", () => {
    if (location.hash === written || !location.hash.includes("=")) return;
    app.view.set(fromHash(location.hash, app));
  });
}

start();
