import { takesH264 } from "./codec.js";
import { make, setText } from "./elements.js";
import { LINES, RUNG_NAMES, facts } from "./figures.js";
import { Sparkline, roundTop } from "./sparkline.js";
import { Seconds } from "./summary.js";
import { verdict } from "./verdict.js";

/** @import { Rung, Stats } from "../../types/model" */
/** @import { Viewer } from "./viewer.js" */
/** @typedef {{ rung: Rung | null, stats: Stats }} Second */

const SAMPLE_MS = 1000;
/** Two minutes of seconds. */
const ROOM = 120;

/**
 * Looks at the picture's figures each second while the page is seen: for the heartbeat, and for the panel, of which
 * only the verdict is written while it is closed.
 */
export class Quality {
  #viewer;
  #tell;
  #panel;
  #seconds = new Seconds();
  /** @type {Second[]} */
  #history = [];
  /** Latencies that were counted, of which peer. */
  #counted = { epoch: 0, count: 0 };

  /**
   * @param {Viewer} viewer
   * @param {HTMLElement} section takes the panel
   * @param {(stats: Stats) => void} tell each second
   */
  constructor(viewer, section, tell) {
    this.#viewer = viewer;
    this.#tell = tell;
    this.#panel = new Panel(section, () => this.#show());
    viewer.heartbeats.summary = () => this.#seconds.take();
    setInterval(() => document.hidden || void this.#look(), SAMPLE_MS);
  }

  async #look() {
    const rung = this.#viewer.rung;
    const stats = await this.#viewer.stats();
    this.#history = [...this.#history, { rung, stats }].slice(-ROOM);
    if (rung) {
      const before = this.#seconds.add(performance.now(), rung, stats);
      this.#viewer.heartbeats.looked(rung, stats, before);
      this.#count();
    }
    this.#tell(stats);
    this.#show();
  }

  /** Each latency counts once. Another peer begins anew. */
  #count() {
    const { epoch } = this.#viewer;
    const known = epoch === this.#counted.epoch ? this.#counted.count : 0;
    const found = this.#viewer.latencies(known);
    this.#counted = { epoch, count: found?.count ?? known };
    for (const ms of found?.measured ?? []) this.#seconds.latency(ms);
  }

  #show() {
    const { state, pinned, rung } = this.#viewer;
    if (state === "over") return this.#panel.hide();
    const decodes = rung !== "vnc" || takesH264();
    this.#panel.show(this.#history, verdict(this.#history, { lost: state === "lost", pinned, decodes }));
  }
}

/** The panel in the page's side. */
class Panel {
  #section;
  #details = make("details", { class: "quality" });
  #verdict = make("span", { class: "verdict" });
  #lines = LINES.map((line) => ({ line, text: make("dd"), spark: new Sparkline(), row: make("div", { class: "figure" }) }));
  #facts = make("dl", { class: "facts" });
  #turns = make("p", { class: "muted small" });

  /** @param {HTMLElement} section @param {() => void} opened */
  constructor(section, opened) {
    this.#section = section;
    const sheet = new URL("../css/quality.css", import.meta.url).href;
    document.head.append(make("link", { rel: "stylesheet", href: sheet }));
    for (const { line, text, spark, row } of this.#lines) row.append(make("dt", {}, line.name), text, spark.element);
    const figures = make("dl", { class: "figures" }, ...this.#lines.map(({ row }) => row));
    const heading = make("h2", {}, "Quality");
    this.#details.append(make("summary", {}, heading, this.#verdict), figures, this.#facts, this.#turns);
    this.#details.addEventListener("toggle", opened);
    section.replaceChildren(this.#details);
  }

  hide() {
    this.#section.hidden = true;
  }

  /** @param {Second[]} history @param {import("./verdict.js").Verdict} found */
  show(history, found) {
    this.#section.hidden = false;
    setText(this.#verdict, found.words);
    this.#verdict.dataset["level"] = found.level;
    const last = history.at(-1);
    if (!this.#details.open || !last) return;
    const turns = turnsOf(history);
    for (const one of this.#lines) this.#draw(one, history, last.stats, turns);
    const said = last.rung ? facts(last.rung, last.stats) : [];
    this.#facts.replaceChildren(...said.flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]));
    setText(this.#turns, wordsOf(history, turns));
  }

  /**
   * @param {{ line: import("./figures.js").Line, text: HTMLElement, spark: Sparkline, row: HTMLElement }} one
   * @param {Second[]} history
   * @param {Stats} stats
   * @param {number[]} turns
   */
  #draw({ line, text, spark, row }, history, stats, turns) {
    const values = history.map((second) => (second.rung ? line.of(second.stats) : null));
    const told = values.filter((value) => value !== null);
    row.hidden = !told.length;
    if (row.hidden) return;
    const now = line.of(stats);
    setText(text, now === null ? "–" : line.write(now));
    const label = `${line.name}, last two minutes: ${line.write(Math.min(...told))} to ${line.write(Math.max(...told))}`;
    spark.show(values, { room: ROOM, top: roundTop(values, line.least), turns, label });
  }
}

/** Before which seconds the rung changed. @param {Second[]} history */
export function turnsOf(history) {
  return history.flatMap(({ rung }, n) => (n > 0 && rung !== history[n - 1]?.rung ? [n] : []));
}

/** @param {Second[]} history @param {number[]} turns */
export function wordsOf(history, turns) {
  const said = turns.slice(-3).map((n) => {
    const rung = history[n]?.rung;
    return `${rung ? RUNG_NAMES[rung] : "no picture"} ${history.length - n} s ago`;
  });
  return said.length ? `Marks in the lines: ${said.join(", ")}.` : "";
}
