// What the console's pages do beside htmx: times in the reader's zone, news as it comes, keys, and the phone's menu.

const body = document.body;
const spoken = document.documentElement.lang;
const language = navigator.languages.find((each) => each.startsWith(spoken)) ?? spoken;
const announcer = document.getElementById("said");

// ---- times ------------------------------------------------------------------------------------------------

const sameDay = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
const sameYear = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });
const longAgo = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", year: "numeric" });
const whole = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "medium" });
const precise = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

function words(at, isPrecise) {
  const now = new Date();
  if (at.toDateString() === now.toDateString()) return (isPrecise ? precise : sameDay).format(at);
  const day = (at.getFullYear() === now.getFullYear() ? sameYear : longAgo).format(at);
  return isPrecise ? `${day}, ${precise.format(at)}` : day;
}

function readTimes(within) {
  for (const time of within.querySelectorAll("time[datetime]:not([title])")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.valueOf())) continue;
    time.textContent = words(at, time.hasAttribute("data-precise"));
    time.title = whole.format(at);
  }
}

// ---- news -------------------------------------------------------------------------------------------------

const link = document.getElementById("link");
let source = null;
let attempts = 0;
let timer = 0;

function linkIs(state) {
  if (!link) return;
  link.hidden = false;
  link.dataset.state = state;
  link.textContent = state === "live" ? link.dataset.liveWords : link.dataset.awayWords;
}

function refresh(threads) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const wanted = part.dataset.live;
    if (!wanted || !threads.length || threads.includes(wanted)) htmx.trigger(part, "live");
  }
}

function connect() {
  disconnect();
  if (document.hidden) return;  // a browser grants a site few connections; it comes back when looked at
  source = new EventSource(new URL("news", new URL(body.dataset.root, location.href)));
  source.addEventListener("open", () => {
    refresh([]);  // something may have happened since the page was made, or since the last connection
    attempts = 0;
    linkIs("live");
  });
  source.addEventListener("changed", (event) => refresh(JSON.parse(event.data).threads));
  source.addEventListener("figures", () => {
    for (const part of document.querySelectorAll("[data-live=figures]")) htmx.trigger(part, "live");
  });
  source.addEventListener("error", () => {
    disconnect();
    linkIs("away");
    timer = setTimeout(connect, Math.min(1000 * 2 ** attempts++, 15000));
  });
}

function disconnect() {
  clearTimeout(timer);
  source?.close();
  source = null;
}

if (document.querySelector("[data-live]")) {
  connect();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return disconnect();
    attempts ||= 1;
    connect();
  });
  addEventListener("pagehide", disconnect);
}

document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.triggeringEvent?.type !== "live") return;
  event.detail.headers["X-Live"] = "1";  // nobody did anything: the session's idle time goes on
  event.detail.path = location.pathname + location.search;
});

// What is shown is left alone while somebody writes in it or has opened a part of it.
document.addEventListener("htmx:beforeSwap", (event) => {
  const part = event.detail.target;
  part.tail = part.querySelectorAll("[data-entry]").length;
  part.opened = [...part.querySelectorAll("details[open][id]")].map((each) => each.id);
  part.atEnd = (document.getElementById("talk")?.getBoundingClientRect().bottom ?? 0) <= innerHeight + 80;
});

document.addEventListener("htmx:afterSettle", (event) => {
  const part = event.detail.target;
  readTimes(document);  // parts beside the target come too
  for (const id of part.opened ?? []) document.getElementById(id)?.setAttribute("open", "");
  const more = part.querySelectorAll("[data-entry]").length - (part.tail ?? Infinity);
  if (more > 0) {
    announcer.textContent = body.dataset.liveWords;
    if (part.atEnd) toEnd();
  }
});

document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.detail.elt;
  if (!event.detail.successful || !form.matches?.("form[data-send]")) return;
  form.reset();
  document.getElementById("notice").replaceChildren();
  refresh([]);
});

// ---- keys and menus ---------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "k") {
    const search = document.querySelector("[data-search]");
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
  } else if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
    event.target.closest?.("form[data-send]")?.requestSubmit();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const list = event.target.closest?.("[data-arrows]");
    if (!list) return;
    const rows = [...list.querySelectorAll("a.row")];
    const next = rows[rows.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)];
    if (!next) return;
    event.preventDefault();
    next.focus();
  }
});

for (const select of document.querySelectorAll("select[data-submits]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

document.getElementById("menu")?.addEventListener("click", (event) => {
  const open = body.classList.toggle("navigating");
  event.currentTarget.setAttribute("aria-expanded", String(open));
});

function toEnd() {
  document.getElementById("talk")?.scrollIntoView({ block: "end" });
}

readTimes(document);
if (document.querySelector("[data-from-end]")) toEnd();
