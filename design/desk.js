// The helpdesk's console, live. The page is whole without this: here it asks for itself again when something has changed, and sends its
// forms without leaving. Whatever came from people is moved as nodes that the server escaped, never as text made into markup here.
const desk = document.querySelector("[data-desk]");
const key = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
const kept = (name, value) => {
  try {
    return value === undefined ? localStorage.getItem(name) : localStorage.setItem(name, value);
  } catch {
    return null;
  }
};

// --- the page, anew

// An answer that has not come by then, in milliseconds, does not come.
const PATIENCE = 30000;
let asking = false;
let again = false;
let asked = 0;
let later;
// What was erased goes from the screen whatever is being done there.
let erased = false;
const busy = (place) => {
  const active = document.activeElement;
  return place.contains(active) && active.matches("input:not([type=hidden]), textarea, select");
};
const merge = (old, fresh) => {
  const known = new Map([...old.children].map((line) => [line.dataset.id, line]));
  let before = null;
  for (const line of [...fresh.children].reverse()) {
    const mine = known.get(line.dataset.id);
    known.delete(line.dataset.id);
    // What has not changed stays where it is, so that only what is new is read out.
    if (mine && mine.textContent === line.textContent && mine.innerHTML.length === line.innerHTML.length) {
      if (mine.nextElementSibling !== before) old.insertBefore(mine, before);
      before = mine;
    } else {
      const put = document.importNode(line, true);
      if (mine) mine.replaceWith(put);
      else old.insertBefore(put, before);
      before = put;
    }
  }
  for (const gone of known.values()) gone.remove();
};
// What this agent was shown: the page may come anew before the value does, and again after it.
const revealed = new Map();
const uncover = () => {
  for (const [id, { covered, value }] of revealed) {
    const details = document.getElementById(id);
    const place = details?.closest("[data-field]").querySelector("[data-value]");
    if (place?.textContent !== covered) continue;
    place.textContent = value;
    // An answer in the open form may be another one next time; what was handed over stays as it is.
    if (!details.closest(".desk-handed")) revealed.delete(id);
    details.remove();
  }
};
const swap = (fresh) => {
  for (const old of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(old.id);
    if (!next) continue;
    if (old.dataset.live === "log") {
      merge(old, next);
    } else if (erased || !busy(old)) {
      const open = [...old.querySelectorAll("details[open][id]")].map((each) => each.id);
      const links = [...old.querySelectorAll("a")];
      const focused = links.indexOf(document.activeElement);
      const href = links[focused]?.getAttribute("href");
      old.replaceChildren(...[...next.childNodes].map((node) => document.importNode(node, true)));
      for (const name of Object.keys(next.dataset)) old.dataset[name] = next.dataset[name];
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
      // Where what had the focus is gone, what has come to its place has it.
      const now = [...old.querySelectorAll("a")];
      if (href) (now.find((link) => link.getAttribute("href") === href) ?? now[Math.min(focused, now.length - 1)])?.focus();
    }
  }
  // The place to write changes only with who may write; what was begun there stays.
  const write = document.getElementById("tulis");
  const next = fresh.getElementById("tulis");
  const begun = write?.querySelector("textarea")?.value ?? "";
  if (write && next && !!write.querySelector("form") !== !!next.querySelector("form") && !(begun && write.querySelector("form"))) {
    write.replaceChildren(...[...next.childNodes].map((node) => document.importNode(node, true)));
  }
  const hint = next?.querySelector("textarea")?.placeholder;
  if (hint) write.querySelector("textarea")?.setAttribute("placeholder", hint);
  const propose = document.querySelector(".desk-propose");
  const proposing = fresh.querySelector(".desk-propose");
  if (propose && !proposing) propose.remove();
  else if (!propose && proposing) document.getElementById("panel")?.append(document.importNode(proposing, true));
  const version = fresh.getElementById("kepala")?.dataset.version;
  if (version) for (const input of document.querySelectorAll("input[name=version]")) input.value = version;
  // A session that was begun anew elsewhere has forms of its own.
  const token = fresh.querySelector("input[name=form]")?.value;
  if (token) for (const input of document.querySelectorAll("input[name=form]")) input.value = token;
  erased = false;
  uncover();
  ready();
};
const refresh = async () => {
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  asked = Date.now();
  const view = document.querySelector("[data-view]");
  const low = view && view.scrollHeight - view.scrollTop - view.clientHeight < 80;
  try {
    const answer = await fetch(location.href, { headers: { "X-By-Itself": "1" }, signal: AbortSignal.timeout(PATIENCE) });
    if (answer.redirected && new URL(answer.url).pathname.startsWith("/helpdesk/masuk")) return over();
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.ok) {
      const whose = fresh.querySelector("[data-desk]")?.dataset.agent;
      // Somebody else has signed in, or this agent has another role by now: theirs is another page.
      if (whose !== desk.dataset.agent) return location.reload();
      if (ended) comeBack();
      swap(fresh);
      if (stream.readyState === EventSource.OPEN) state("connected");
    } else if (answer.status === 403 || answer.status === 404) {
      blank();
      problem(fresh.querySelector("main p")?.textContent);
    }
    if (low) view.scrollTop = view.scrollHeight;
  } catch {
    state("lost");
  } finally {
    asking = false;
    if (again) {
      again = false;
      refresh();
    }
  }
};
// While much happens the list is drawn every other second; the conversation that is open, at once.
const refreshList = () => {
  later ??= setTimeout(() => {
    later = undefined;
    refresh();
  }, Math.max(0, asked + 2000 - Date.now()));
};

// --- what has changed

const shown = document.querySelector("[data-state]");
const state = (name) => {
  shown.textContent = shown.dataset[name];
};
const problem = (words) => {
  const place = document.querySelector("[data-problem]");
  if (!place) return;
  place.replaceChildren();
  if (!words) return;
  const note = document.createElement("div");
  note.className = "note note-bad";
  const said = document.createElement("div");
  said.textContent = words;
  note.append(said);
  place.append(note);
};
// What was shown is not for whoever comes by; what was being written stays.
const blank = () => {
  revealed.clear();
  for (const part of document.querySelectorAll("[data-live]")) part.replaceChildren();
};
let ended = false;
const over = () => {
  if (ended) return;
  ended = true;
  stream?.close();
  blank();
  shown.textContent = desk.dataset.over;
  problem(desk.dataset.over);
  const link = document.createElement("a");
  Object.assign(link, { href: "/helpdesk/masuk", target: "_blank", rel: "noopener", textContent: desk.dataset.signIn });
  document.querySelector("[data-problem] .note div")?.append(" ", link);
};
const comeBack = () => {
  ended = false;
  problem("");
  listen();
};
let stream;
let last = desk?.dataset.newest;
const listen = () => {
  stream = new EventSource(`/helpdesk/langsung?since=${last}`);
  stream.addEventListener("ready", () => {
    state("connected");
    desk.dataset.ready = "1";
  });
  stream.addEventListener("anew", (event) => {
    last = event.lastEventId;
    refresh();
  });
  stream.addEventListener("over", over);
  stream.addEventListener("error", () => {
    state("lost");
    // Where something else than a stream was answered (a proxy, while we start anew) the browser does not try again by itself.
    if (stream.readyState === EventSource.CLOSED) setTimeout(listenAgain, 3000 + 2000 * Math.random());
  });
  stream.addEventListener("message", (event) => {
    last = event.lastEventId;
    const change = JSON.parse(event.data);
    if (change.what === "opened") ring();
    if (change.chat === desk.dataset.chat) {
      if (change.what === "erased") {
        erased = true;
        revealed.clear();
      }
      refresh();
    } else refreshList();
  });
};

const listenAgain = async () => {
  await refresh();
  if (!ended) listen();
};

// --- sound and badge

let audio;
const ring = () => {
  if (kept("helpdesk-sound") === "off") return;
  try {
    audio ??= new AudioContext();
    for (const [at, tone] of [
      [0, 660],
      [0.18, 880],
    ]) {
      const wave = audio.createOscillator();
      const volume = audio.createGain();
      wave.frequency.value = tone;
      volume.gain.setValueAtTime(0.12, audio.currentTime + at);
      volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + at + 0.16);
      wave.connect(volume).connect(audio.destination);
      wave.start(audio.currentTime + at);
      wave.stop(audio.currentTime + at + 0.17);
    }
  } catch {
    // A browser that lets no sound out before the first click: the badge is there all the same.
  }
};
const sound = document.querySelector("[data-sound]");
const sounds = () => {
  const on = kept("helpdesk-sound") !== "off";
  sound.textContent = on ? sound.dataset.on : sound.dataset.off;
  sound.setAttribute("aria-pressed", String(on));
};
const title = document.title;
const badge = () => {
  const count = Number(document.querySelector("[data-count=queue]")?.textContent ?? 0);
  document.title = count ? `(${count}) ${title}` : title;
  if (count) navigator.setAppBadge?.(count).catch(() => {});
  else navigator.clearAppBadge?.().catch(() => {});
};

// --- forms

const send = async (form, submitter) => {
  // One at a time: what is written meanwhile stays, and is another deed.
  if (form.dataset.sending) return;
  const body = new URLSearchParams(new FormData(form));
  const note = submitter?.hasAttribute("data-note");
  const what = [...body].filter(([name]) => name !== "key" && name !== "version").join("\n");
  if (form.dataset.what !== what) Object.assign(form.dataset, { what, key: key() });
  body.set("key", note ? `${form.dataset.key}-n` : form.dataset.key);
  const address = submitter?.getAttribute("formaction") ?? form.action;
  const place = form.querySelector("[data-say] textarea, .desk-propose #value");
  const sent = place?.value;
  const buttons = form.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  form.dataset.sending = "1";
  problem("");
  try {
    const headers = { Accept: "application/json" };
    const answer = await fetch(address, { method: "POST", body, headers, signal: AbortSignal.timeout(PATIENCE) });
    const told = await answer.json();
    if (answer.ok) {
      delete form.dataset.what;
      if (place?.value.startsWith(sent)) place.value = place.value.slice(sent.length).trimStart();
      form.closest("details.desk-menu")?.removeAttribute("open");
      if (told.value !== undefined) reveal(form, told.value);
      else await refresh();
    } else {
      // Another try is another deed, but for a connection that broke: then the same may have been done.
      if (answer.status < 500) delete form.dataset.what;
      problem(told.error?.message ?? desk.dataset.error);
      if (answer.status === 409 || answer.status === 403) await refresh();
      if (answer.status === 401) over();
    }
  } catch {
    problem(desk.dataset.error);
  } finally {
    delete form.dataset.sending;
    for (const button of buttons) button.disabled = false;
    waits();
  }
};
const reveal = (form, value) => {
  const covered = form.closest("[data-field]").querySelector("[data-value]").textContent;
  revealed.set(form.closest("details").id, { covered, value });
  uncover();
};
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-deed], [data-reveal]")) return;
  event.preventDefault();
  send(form, event.submitter);
});
document.addEventListener("change", (event) => {
  const chosen = event.target.closest("[data-canned]")?.selectedOptions[0];
  if (!chosen?.dataset.text) return;
  const area = event.target.form.querySelector("textarea");
  area.value = area.value ? `${area.value}\n${chosen.dataset.text}` : chosen.dataset.text;
  event.target.value = "";
  area.focus();
});

// --- the time until a link can be sent again

const two = (count) => String(count).padStart(2, "0");
const clock = (seconds) => {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(seconds % 60)}`;
};
const waits = () => {
  for (const button of document.querySelectorAll("[data-from]")) {
    const left = Math.ceil((Date.parse(button.dataset.from) - Date.now()) / 1000);
    const words = button.querySelector("span");
    words.dataset.words ??= words.textContent;
    button.disabled = left > 0;
    words.textContent = left > 0 ? `${button.dataset.wait} ${clock(left)}` : words.dataset.words;
  }
};
const ready = () => {
  badge();
  waits();
};

// --- keys

const dialog = document.querySelector("[data-keys-dialog]");
const on = document.querySelector("[data-keys-on]");
const move = (step) => {
  const items = [...document.querySelectorAll(".desk-items a")];
  const at = items.indexOf(document.activeElement);
  items[Math.min(items.length - 1, Math.max(0, at + step))]?.focus();
};
const keys = {
  j: () => move(1),
  k: () => move(-1),
  t: () => document.querySelector("[data-take]")?.requestSubmit(),
  r: () => document.getElementById("text")?.focus(),
  "/": () => document.getElementById("q")?.focus(),
  "?": () => dialog.showModal(),
};
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches("#text")) {
    event.preventDefault();
    event.target.form.requestSubmit();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || kept("helpdesk-keys") === "off") return;
  if (event.target.matches("input, textarea, select") || dialog.open) return;
  const act = keys[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});

if (desk) {
  for (const button of [sound, document.querySelector("[data-keys]")]) button.hidden = false;
  sound.addEventListener("click", () => {
    kept("helpdesk-sound", kept("helpdesk-sound") === "off" ? "on" : "off");
    sounds();
    if (kept("helpdesk-sound") !== "off") ring();
  });
  document.querySelector("[data-keys]").addEventListener("click", keys["?"]);
  on.checked = kept("helpdesk-keys") !== "off";
  on.addEventListener("change", () => kept("helpdesk-keys", on.checked ? "on" : "off"));
  const view = document.querySelector("[data-view]");
  if (view) view.scrollTop = view.scrollHeight;
  sounds();
  ready();
  listen();
  setInterval(waits, 1000);
  // Times such as "3 min" grow older by themselves.
  setInterval(refresh, 60000);
  addEventListener("pagehide", () => stream?.close());
  addEventListener("focus", () => ended && refresh());
  addEventListener("beforeunload", (event) => {
    const places = document.querySelectorAll(".desk-write textarea, .desk-propose input:not([type=hidden])");
    if ([...places].some((place) => place.value !== place.defaultValue)) event.preventDefault();
  });
}
