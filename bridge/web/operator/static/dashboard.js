// The curves: drawn from the server's samples, and again whenever there is one more.

const place = document.getElementById("charts");
const soon = document.getElementById("soon");
const language = document.documentElement.lang;
const number = new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
const exact = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const HEIGHT = 170;
// A value without neighbours is no line: it is a point.
const LONELY = {
  show: false,
  size: 5,
  filter: (drawn, series) => drawn.data[series].flatMap((value, at, all) =>
    (value !== null && (all[at - 1] ?? null) === null && (all[at + 1] ?? null) === null ? [at] : [])),
};
const charts = [...place.querySelectorAll(".chart")].map(chartOf);
let curves = null;

function spoken(value, unit) {
  if (value === null || value === undefined) return "–";
  if (unit !== "seconds") return number.format(value);
  return value < 1 ? `${number.format(value * 1000)} ms` : `${number.format(value)} s`;
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function chartOf(figure) {
  const series = figure.dataset.series.split(" ");
  return { figure, series, unit: figure.dataset.unit, plot: figure.querySelector(".plot"), drawn: null };
}

function told(chart, at) {
  const last = curves.times.length - 1;
  for (const name of chart.series) {
    const value = curves.values[name][at ?? last];
    chart.figure.querySelector(`[data-of="${name}"]`).textContent = spoken(value, chart.unit);
  }
  chart.figure.querySelector("figcaption").dataset.at = at === null ? "" : exact.format(new Date(curves.times[at] * 1000));
}

function options(chart) {
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  return {
    width: chart.plot.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { points: { size: 7 }, drag: { x: false, y: false }, sync: { key: "charts" } },
    scales: { x: { time: true }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    axes: [
      { ...axis, values: (_, times) => times.map((time) => clock.format(new Date(time * 1000))), space: 60, size: 28 },
      { ...axis, values: (_, values) => values.map((value) => spoken(value, chart.unit)), size: 58 },
    ],
    series: [{}, ...chart.series.map((_, at) => ({ stroke: colour(`--curve-${at + 1}`), width: 1.75, points: LONELY }))],
    hooks: { setCursor: [(drawn) => told(chart, drawn.cursor.idx ?? null)] },
  };
}

function show(chart) {
  const data = [curves.times, ...chart.series.map((name) => curves.values[name])];
  if (chart.drawn) {
    chart.drawn.setData(data);
  } else {
    chart.drawn = new uPlot(options(chart), data, chart.plot);
  }
  told(chart, chart.drawn.cursor.idx ?? null);
}

function forget() {
  for (const chart of charts) {
    chart.drawn?.destroy();
    chart.drawn = null;
  }
}

async function load() {
  let response;
  try {
    response = await fetch(place.dataset.from, { headers: { "X-Live": "1" } });
  } catch {
    return;  // the page says that it reconnects, and comes back
  }
  if (response.redirected) location.reload();
  if (!response.ok || response.redirected) return;
  curves = await response.json();
  soon.hidden = curves.times.length > 0;
  if (curves.times.length) charts.forEach(show);
}

new ResizeObserver(() => {
  for (const chart of charts) chart.drawn?.setSize({ width: chart.plot.clientWidth, height: HEIGHT });
}).observe(place);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  forget();
  load();
});
document.getElementById("accounts").addEventListener("live", load);
load();
