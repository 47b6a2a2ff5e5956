// The first two lessons on the network of a run: its gates held by hand, and their bias moved.
import { showBias } from "./lesson_bias.js";
import { showConveyor } from "./lesson_conveyor.js";

const LESSON_READS = 240; // tokens of the text

/** The lessons on the layer that is looked at first, from the beginning of the text shown. */
export function showOwnLessons(app) {
  const { payload, network, tensor, view } = app,
    { model, text } = payload,
    layer = view.get("layer");
  const subject = {
    ...{ network, model, tensor, roles: model.roles, words: model.words },
    ids: text.ids.slice(0, LESSON_READS),
    pieces: text.pieces.slice(0, LESSON_READS),
    first: network.warm(text.start_state),
    at: { layer, unit: view.get("unit") },
    units: network.cells[layer].output.length,
    follow: (tell) => view.on(["unit"], () => tell(view.get("unit"))),
  };
  showConveyor(subject);
  showBias(subject);
}
