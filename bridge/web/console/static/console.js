// The console page: follows one conversation over server-sent events and posts what is typed or pressed.
// What is posted keeps its id until the bridge has stored it, so trying again never says a thing twice.

import { bubble, make, refresh } from "./bubbles.js";
import { Outbox } from "./outbox.js";

const $ = (id) => document.getElementById(id);
const log = $("log"), messages = $("messages"), text = $("text"), nameField = $("name");

let conversation = "";
let source = null;      // the EventSource of the conversation shown
let resume = "0";       // where to go on after an interruption
let attempts = 0;
let timer = 0;
let frame = 0;
let atEnd = true;       // whether the reader is at the newest message, and wants to stay there
let shown = new Map();  // key -> {entry, item}
let listed = [];        // the conversations as last told
const names = new Map();  // conversation -> the name typed for it here

const outbox = new Outbox((said) => {
  if (said.conversation === conversation) put(pending(said));
});

// ---- one conversation -------------------------------------------------------------------------------------

function address() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

function newConversation() {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return "guest-" + [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function open(next) {
  conversation = next;
  shown = new Map();
  resume = "0";
  attempts = 0;
  atEnd = true;
  messages.replaceChildren();
  $("earlier").hidden = $("empty").hidden = $("newest").hidden = true;
  log.setAttribute("aria-busy", "true");
  outbox.unsent(conversation).forEach((said) => put(pending(said)));
  drawName();
  drawConversations();
  showAside(false);
  connect();
  text.focus();
}

function follow() {
  const wanted = address();
  if (!wanted) location.replace("#" + encodeURIComponent(document.body.dataset.latest || newConversation()));
  else if (wanted !== conversation) open(wanted);
}

// ---- the stream -------------------------------------------------------------------------------------------

function connect() {
  disconnect();
  if (document.hidden) return;  // a browser grants a page few connections; it is opened again when looked at
  const query = `conversation=${encodeURIComponent(conversation)}&after=${resume}`;
  source = new EventSource(new URL(`../stream?${query}`, import.meta.url));
  source.addEventListener("open", () => {
    attempts = 0;
    linkIs("live", "live");
    outbox.hurry();
  });
  source.addEventListener("message", told);
  source.addEventListener("update", told);
  source.addEventListener("earlier", () => { $("earlier").hidden = false; });
  source.addEventListener("conversations", (event) => {
    listed = JSON.parse(event.data);
    drawConversations();
    drawName();
    drawEmpty();
    log.setAttribute("aria-busy", "false");
  });
  source.addEventListener("error", () => {
    // Browsers differ in what they retry by themselves; so none of them does.
    disconnect();
    linkIs("away", "reconnecting…");
    timer = setTimeout(connect, Math.min(500 * 2 ** attempts++, 4000));
  });
}

function disconnect() {
  clearTimeout(timer);
  source?.close();
  source = null;
}

function told(event) {
  resume = event.lastEventId || resume;
  put(JSON.parse(event.data));
}

function linkIs(state, words) {
  $("link").dataset.state = state;
  $("link").textContent = words;
  $("away").hidden = state !== "away";
}

// ---- messages ---------------------------------------------------------------------------------------------

function put(entry) {
  const known = shown.get(entry.key);
  if (known && known.entry.position !== Infinity && entry.position === Infinity) return;  // stored meanwhile
  const item = known?.item ?? bubble(entry, press);
  if (known) refresh(item, entry);
  shown.set(entry.key, { entry, item });
  if (!known || known.entry.position !== entry.position) place(item, entry.position);
  if (entry.position === Infinity) atEnd = true;
  else if (!known && !atEnd) $("newest").hidden = false;
  frame ||= requestAnimationFrame(arrange);
}

// In order of position; what is not stored yet comes last.
function place(item, position) {
  item.position = position;
  let before = messages.lastElementChild;
  while (before && (before === item || !(before.position <= position))) before = before.previousElementSibling;
  if (before) before.after(item);
  else messages.prepend(item);
}

// Who speaks is said once for a run of messages, the day once for a day.
function arrange() {
  frame = 0;
  messages.querySelectorAll(".day").forEach((each) => each.remove());
  let last = null;
  for (const item of [...messages.children]) {
    const { entry } = shown.get(item.dataset.key);
    const day = new Date(entry.at).toDateString();
    const fresh = !last || day !== new Date(last.at).toDateString();
    if (fresh) item.before(dayLine(day));
    item.classList.toggle("first", fresh || last.direction !== entry.direction);
    last = entry;
  }
  const busy = [...shown.values()].some(({ entry }) => entry.direction === "in" && entry.status === "waiting");
  $("typing").hidden = !busy;
  drawEmpty();
  if (atEnd) toEnd();
}

function dayLine(day) {
  const today = new Date().toDateString();
  const words = day === today ? "Today" : new Date(day).toLocaleDateString([], { dateStyle: "medium" });
  const line = make("li", "day");
  line.append(make("span", "", words));
  return line;
}

function drawEmpty() {
  $("empty").hidden = shown.size > 0;
}

function toEnd() {
  log.scrollTop = log.scrollHeight;
}

// ---- saying -----------------------------------------------------------------------------------------------

function say(content) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const id = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return outbox.add({ id, conversation, name: nameField.value.trim() || "Guest", ...content });
}

function pending(said) {
  const kind = said.key === undefined ? "text" : "postback";
  return {
    key: said.id, position: Infinity, direction: "in", kind, text: said.text ?? said.title, choices: [], media: null,
    status: said.status, reason: said.reason, at: said.at,
  };
}

async function press(choice, button) {
  if (button.getAttribute("aria-disabled") === "true") return;  // the press before is on its way
  button.setAttribute("aria-disabled", "true");
  await say({ key: choice.key, title: choice.title });
  button.removeAttribute("aria-disabled");
}

function submit() {
  if (!text.value.trim()) return;
  say({ text: text.value });
  text.value = "";
  typed();
}

function typed() {
  $("send").disabled = !text.value.trim();
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
}

// ---- the list of conversations ----------------------------------------------------------------------------

function drawConversations() {
  const rows = listed.some((each) => each.conversation === conversation)
    ? listed : [{ conversation, name: nameOf(conversation), at: "", waiting: false }, ...listed];
  const focused = document.activeElement?.closest?.("#conversations a")?.getAttribute("href");
  $("conversations").replaceChildren(...rows.map(conversationLine));
  if (focused) [...document.querySelectorAll("#conversations a")]
    .find((each) => each.getAttribute("href") === focused)?.focus();
}

function conversationLine(row) {
  const link = make("a");
  link.href = "#" + encodeURIComponent(row.conversation);
  if (row.conversation === conversation) link.setAttribute("aria-current", "page");
  const name = row.name || row.conversation;
  const words = make("span", "words");
  words.append(make("span", "name", name), make("span", "id", row.conversation));
  link.append(avatar(make("span", "avatar"), row.conversation, name), words, make("span", "when", when(row)));
  const item = make("li");
  item.append(link);
  return item;
}

function when({ at, waiting }) {
  if (!at) return "new";
  if (waiting) return "…";
  const date = new Date(at), today = new Date().toDateString() === date.toDateString();
  return today ? date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })
    : date.toLocaleDateString([], { day: "numeric", month: "short" });
}

function avatar(element, id, name) {
  const hue = [...id].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);
  element.style.setProperty("--hue", hue);
  element.textContent = ([...name.trim()][0] ?? "?").toUpperCase();
  element.setAttribute("aria-hidden", "true");
  return element;
}

function nameOf(id) {
  const known = listed.find((each) => each.conversation === id);
  return names.get(id) || known?.name || `Guest ${listed.length + 1}`;
}

function drawName() {
  if (document.activeElement !== nameField) nameField.value = nameOf(conversation);
  avatar($("avatar"), conversation, nameField.value || "?");
  document.title = `${nameField.value} · threadbridge console`;
}

function showAside(open) {
  document.body.classList.toggle("aside", open);
  $("toggle").setAttribute("aria-expanded", String(open));
  if (open) $("new").focus();
}

// ---- what happens when ------------------------------------------------------------------------------------

$("composer").addEventListener("submit", (event) => { event.preventDefault(); submit(); });
text.addEventListener("input", typed);
text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});
nameField.addEventListener("input", () => { names.set(conversation, nameField.value.trim()); drawConversations(); });
nameField.addEventListener("change", drawName);
nameField.addEventListener("keydown", (event) => { if (event.key === "Enter") text.focus(); });
$("empty").addEventListener("click", (event) => {
  const words = event.target.closest("[data-try]")?.dataset.try;
  if (words) { say({ text: words }); text.focus(); }
});
$("new").addEventListener("click", () => { location.hash = newConversation(); });
$("toggle").addEventListener("click", () => showAside(!document.body.classList.contains("aside")));
document.querySelector("main").addEventListener("click", (event) => {
  if (!event.target.closest("#toggle")) showAside(false);
});
$("skip").addEventListener("click", (event) => { event.preventDefault(); text.focus(); });
$("newest").addEventListener("click", () => { toEnd(); text.focus(); });
log.addEventListener("scroll", () => {
  if (frame) return;  // what was just added is not the reader's scrolling
  atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  if (atEnd) $("newest").hidden = true;
});
new ResizeObserver(() => { if (atEnd) toEnd(); }).observe(log);
log.addEventListener("load", () => { if (atEnd) toEnd(); }, true);  // a picture made the page longer
document.addEventListener("keydown", (event) => { if (event.key === "Escape") showAside(false); });
document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
window.addEventListener("hashchange", follow);
follow();
