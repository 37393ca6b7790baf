// Plots of the last minutes.
/* global uPlot */
import { bytes, count, rate } from "./format.js";

const points = 300; // seconds
const height = 130;

const whole = Array.from({ length: 10 }, (_, i) => [1, 2, 5].map((n) => n * 10 ** i)).flat();
const binary = Array.from({ length: 50 }, (_, i) => 2 ** i);
const kinds = { // steps: between the lines of the plot
  rate: { format: (n) => Number.isInteger(n) ? count(n) : rate(n), steps: whole, names: ["requests / s"] },
  bytes: { format: bytes, steps: binary, names: ["in", "out"] },
  load: { format: String, steps: whole, names: ["running", "waiting"] },
};

export class Plots {
  #data = {};
  #plots = {};

  constructor() {
    for (const [name, kind] of Object.entries(kinds)) this.#data[name] = [[], ...kind.names.map(() => [])];
    new ResizeObserver(() => {
      for (const [name, plot] of Object.entries(this.#plots)) plot.setSize({ width: width(name), height });
    }).observe(document.querySelector(".plots"));
  }

  /** Adds a point to each plot. */
  add(time, values) {
    for (const name of Object.keys(kinds)) {
      const data = this.#data[name];
      [time, ...values[name]].forEach((value, i) => {
        data[i].push(value);
        if (data[i].length > points) data[i].shift();
      });
      if (this.#plots[name]) this.#plots[name].setData(data);
      place(name).setAttribute("aria-label",
        kinds[name].names.map((label, i) => `${label}: ${kinds[name].format(values[name][i])}`).join(", "));
    }
    if (Object.keys(this.#plots).length === 0) this.draw();
  }

  /** Draws them, in the colours of now. */
  draw() {
    for (const plot of Object.values(this.#plots)) plot.destroy();
    this.#plots = {};
    for (const name of Object.keys(kinds)) {
      if (this.#data[name][0].length > 0) this.#plots[name] = draw(name, this.#data[name]);
    }
  }
}

const place = (name) => document.getElementById(`plot-${name}`);
const width = (name) => Math.max(200, place(name).clientWidth);

function draw(name, data) {
  const probe = document.createElement("span");
  document.body.append(probe);
  const colour = (variable) => {
    probe.className = `probe-${variable}`;
    return getComputedStyle(probe).color;
  };
  const [muted, line, ...strokes] = ["muted", "line", "blue", "amber"].map(colour);
  probe.remove();
  const { format, names, steps } = kinds[name];
  const axis = { stroke: muted, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  return new uPlot({
    width: width(name), height, legend: { show: false }, padding: [8, 8, 0, 0],
    cursor: { y: false, sync: { key: "time" }, points: { size: 6 } },
    scales: { y: { range: (_, __, most) => [0, Math.max(most * 1.1, 1)] } },
    axes: [
      { ...axis, space: 60, size: 26, values: (_, ticks) => ticks.map(clock) },
      { ...axis, size: 62, space: 30, incrs: steps, values: (_, ticks) => ticks.map((n) => format(n)) },
    ],
    series: [{}, ...names.map((label, i) => ({ label, stroke: strokes[i], width: 2, fill: faint(strokes[i]),
      points: { show: false } }))],
  }, data, place(name));
}

const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit",
  second: "2-digit", hour12: false });

const faint = (colour) => colour.replace(/^rgb\((.*)\)$/, "rgba($1, 0.10)");
