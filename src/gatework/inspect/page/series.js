// Section 2 for a series: a window of it to be edited, and the forecast from there.
import { section } from "./dom.js";

export function showSeries(app) {
  section("live", "Forecast", "The series and its forecast");
}
