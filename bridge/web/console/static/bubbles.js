// How a thing said looks: entries (bridge/web/console/entries.py) to elements. Text is only ever set as text.

const STATES = {
  sending: "sending…", retrying: "not sent yet, trying again…", refused: "not accepted",
  waiting: "waiting…", stored: "stored", sent: "sent", delivered: "delivered", read: "read",
  failed: "failed", expired: "expired", dropped: "put aside",
};

export function make(tag, className = "", text = null) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== null) element.textContent = text;
  return element;
}

// One message as a list item. `press(choice, button)` is called for a button or a line of a list.
export function bubble(entry, press) {
  const item = make("li", `message ${entry.direction}`);
  item.append(make("p", "from", entry.direction === "in" ? "You" : "Bot"));
  const body = make("div", "bubble");
  body.dataset.kind = entry.kind;
  body.dir = "auto";
  body.append(...contents(entry, press));
  const foot = make("p", "foot");
  foot.append(make("time"), make("span", "state"));
  item.append(body, foot);
  refresh(item, entry);
  return item;
}

// Bring the parts that change up to date: time, state and place.
export function refresh(item, entry) {
  const at = new Date(entry.at);
  const time = item.querySelector("time");
  time.dateTime = entry.at;
  time.title = at.toLocaleString();
  time.textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const state = item.querySelector(".state");
  const words = STATES[entry.status] ?? entry.status;
  const said = entry.reason ? `${words}: ${entry.reason}` : words;
  if (state.textContent !== said) state.textContent = said;
  item.dataset.state = entry.status;
  item.dataset.key = entry.key;
}

function contents(entry, press) {
  const parts = [];
  if (entry.header?.media) parts.push(medium(entry.header.media));
  if (entry.header?.text) parts.push(make("p", "head", entry.header.text));
  if (entry.media) parts.push(medium(entry.media));
  if (entry.location) parts.push(place(entry.location));
  if (entry.kind === "template") parts.push(make("p", "label", "Template"));
  if (entry.kind === "raw") parts.push(make("p", "label", "The provider's own payload"));
  if (entry.kind === "unrecognised") parts.push(make("p", "label", "Unrecognised"));
  if (entry.text) parts.push(make("p", "text", entry.text));
  if (entry.code) parts.push(code(entry.code));
  if (entry.cards) parts.push(cards(entry.cards, press));
  if (entry.title) parts.push(make("p", "title", entry.title));
  if (entry.choices.length) parts.push(choices(entry.choices, press));
  if (entry.footer) parts.push(make("p", "footer", entry.footer));
  if (!parts.length) parts.push(make("p", "label", "This cannot be shown."));
  return parts;
}

function choices(all, press) {
  const lines = all.some((choice) => "section" in choice);
  const list = make("div", lines ? "lines" : "buttons");
  let section = "";
  for (const choice of all) {
    if (choice.section && choice.section !== section) list.append(make("p", "section", choice.section));
    section = choice.section ?? "";
    const button = make("button", "choice");
    button.type = "button";
    button.append(make("span", "name", choice.title));
    if (choice.description) button.append(make("span", "more", choice.description));
    button.addEventListener("click", (event) => {
      if (event.detail < 2) press(choice, button);  // not the second half of a double click
    });
    list.append(button);
  }
  return list;
}

function cards(all, press) {
  const row = make("div", "cards");
  row.tabIndex = 0;
  row.setAttribute("role", "group");
  row.setAttribute("aria-label", "Cards");
  for (const each of all) {
    const card = make("div", "card");
    if (each.image) card.append(medium({ kind: "image", url: each.image, name: each.title }));
    card.append(make("p", "name", each.title));
    if (each.choices.length) card.append(choices(each.choices, press));
    row.append(card);
  }
  return row;
}

function code(text) {
  const block = make("pre", "", text);
  block.tabIndex = 0;
  return block;
}

function place(location) {
  const { latitude, longitude, name } = location;
  const point = `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`;
  const url = `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=16/${latitude}/${longitude}`;
  const box = make("p", "place");
  box.append(make("span", "pin"), make("span", "name", name || "Location"), link(url, point));
  return box;
}

// A picture, a player or a link. Only https is fetched or linked; anything else is shown as the text it is.
function medium(media) {
  const box = make("p", "medium");
  if (!isHttps(media.url)) {
    box.append(make("span", "label", media.kind), make("span", "address", media.name || media.url || "not available"));
    if (media.name && media.url) box.append(make("span", "address", media.url));
    return box;
  }
  const label = media.name || fileName(media.url) || media.kind;
  if (media.kind === "image" || media.kind === "sticker") {
    const anchor = link(media.url, "");
    const image = make("img");
    image.alt = label;
    image.loading = "lazy";
    image.referrerPolicy = "no-referrer";
    image.addEventListener("error", () => anchor.replaceChildren(make("span", "file", label)));
    image.src = media.url;
    anchor.append(image);
    box.append(anchor);
  } else if (["video", "audio", "voice"].includes(media.kind)) {
    const player = make(media.kind === "video" ? "video" : "audio");
    player.controls = true;
    player.preload = "none";
    player.src = media.url;
    player.setAttribute("aria-label", label);
    box.append(player, link(media.url, label));
  } else {
    box.append(make("span", "label", media.kind), link(media.url, label));
  }
  return box;
}

function link(url, text) {
  const anchor = make("a", "", text);
  anchor.href = url;
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer";
  return anchor;
}

function isHttps(url) {
  try {
    return new URL(url).protocol === "https:";
  } catch {
    return false;
  }
}

function fileName(url) {
  return new URL(url).pathname.split("/").pop();
}
