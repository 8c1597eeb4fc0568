// The chat page: draws the transcript, sends what is typed or pressed, and keeps both going over a bad connection.
// Lives here: behaviour. Must not live here: words (data-words, from words/*.toml), looks (chat.css), the dialog's rules (the server).
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const words = JSON.parse(document.body.dataset.words);
  const language = document.documentElement.lang;
  const query = new URLSearchParams(location.search);
  // A link that takes a form along stands behind the #, which no server and no other page gets to see; nor does the history keep it.
  let moving = /^#lanjut-[\w-]{43}$/.test(location.hash) ? location.hash.slice(1) : "";
  if (moving) history.replaceState(null, "", location.pathname + location.search);
  addEventListener("hashchange", () => location.hash.startsWith("#lanjut-") && location.reload());
  const framed = document.body.classList.contains("chat-framed");
  const [view, log, answer, state, typing, newest] = ["view", "log", "answer", "state", "typing", "newest"].map(byId);

  function make(tag, className, ...children) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...children.filter(Boolean));
    return element;
  }
  const icon = (name) => byId(`icon-${name}`).content.cloneNode(true);
  const newId = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const visit = newId(); // what is tried again is the same; a link that is opened again is not
  const fill = (template, facts) => template.replace(/\{(\w+)\}/g, (_, name) => facts[name]);

  // --- The transcript. An item stands at its `seq`; one that comes again with a higher `cursor` replaces what stood there.

  const bubbles = new Map(); // seq -> {item, element}
  const queue = []; // what is not accepted yet, oldest first: {message, item, element}
  let cursor = 0;
  let current = null; // the newest screen: the only one whose buttons work

  function take(items) {
    let added = false;
    let news = false;
    for (const item of items) {
      cursor = Math.max(cursor, item.cursor);
      const known = bubbles.get(item.seq);
      if (known && known.item.cursor >= item.cursor) continue;
      const sent = queue.find((job) => job.item?.id === item.id);
      const element = known?.element ?? sent?.element ?? make("div");
      bubbles.set(item.seq, { item, element });
      element.dataset.seq = item.seq;
      // A bubble that is shown already while it was being sent only gets its time, so that it is not read out twice.
      if (sent && !known && !item.masked) element.querySelector(".chat-meta").replaceChildren(time(item.at));
      else draw(element, item);
      const next = [...log.children].find((other) => !other.dataset.seq || Number(other.dataset.seq) > item.seq) ?? null;
      if (!element.isConnected || element.nextElementSibling !== next) log.insertBefore(element, next);
      added ||= !known;
      news ||= item.from !== "user" && !known;
    }
    arrange();
    if (following && added) toNewest(); // what only changes an older bubble moves nobody who reads
    else if (news) below(words.newest);
  }

  const live = () => log.getAttribute("aria-live") === "polite";
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let following = true; // until the reader scrolls back
  let scrolled = { at: 0, of: 0 }; // where the view was, and in what height

  // To the end, but never past the beginning of the newest bubble: a long one is read from its top.
  function toNewest() {
    newest.hidden = true;
    following = true;
    const top = (log.lastElementChild?.offsetTop ?? 0) - 12;
    // Rather the speaker's name above it goes than that a pill covers its buttons for the sake of the time below them.
    const long = view.scrollHeight - view.clientHeight - top > 48;
    scrollTo(long ? top : view.scrollHeight);
    if (long) below(words.further);
  }

  const scrollTo = (top) => view.scrollTo({ top, behavior: live() && !calm.matches ? "smooth" : "instant" });

  function below(word) {
    newest.textContent = `${word} ↓`;
    newest.hidden = false;
  }

  view.addEventListener("scroll", () => {
    const atEnd = view.scrollHeight - view.scrollTop - view.clientHeight < 24;
    if (atEnd) newest.hidden = following = true;
    // Nobody scrolls back where the height has changed: the browser moves the view itself when buttons above it go.
    else if (view.scrollTop < scrolled.at - 2 && view.scrollHeight === scrolled.of) following = false;
    scrolled = { at: view.scrollTop, of: view.scrollHeight };
  });

  // Who speaks -> the word for them, and the sign beside their bubbles.
  const AUTHORS = { user: ["you"], bot: ["bot", "bot"], agent: ["helpdesk", "user"], system: ["system", "info"] };

  // An address in our own words leads there; in a person's or an agent's it is just words.
  function spoken(item, text) {
    const parts = item.from === "bot" || item.from === "system" ? text.split(/(https?:\/\/\S*[\w/-])/) : [text];
    return parts.map((part, at) => {
      if (at % 2 === 0) return part;
      const address = make("a", "", part);
      Object.assign(address, { href: part, target: "_blank", rel: "noopener noreferrer" });
      return address;
    });
  }

  // The gap between two is narrower than an empty line, so that more of a long bubble is seen at once.
  const paragraphs = (item) =>
    item.text.split(/(\n{2,})/).map((part, at) => (at % 2 ? part : make("p", "", !at && item.masked && icon("lock"), ...spoken(item, part))));

  function draw(element, item, status) {
    const own = item.from === "user";
    const text = make("div", "chat-text", ...paragraphs(item));
    if (item.masked) text.title = words.masked;
    const bubble = make("div", "chat-bubble", item.notice && make("p", "chat-notice", make("span", "", ...spoken(item, item.notice))), text);
    if (item.masked) bubble.append(make("span", "visually-hidden", words.masked));
    if (item.progress) bubble.prepend(progress(...item.progress));
    const [who, sign] = AUTHORS[item.from];
    element.className = `chat-message ${own ? "chat-own" : "chat-bot"} chat-${item.from}`;
    element.replaceChildren(
      make("p", "chat-author", item.name ? fill(words.agent, { name: item.name }) : words[who]),
      own ? "" : make("span", "chat-avatar", icon(sign)),
      bubble,
      item.actions ? actions(item) : "",
      make("p", "chat-meta", item.at && time(item.at), status && make("span", "chat-status", status)),
    );
  }

  function progress(step, total) {
    const bar = make("span", "chat-steps", ...Array.from({ length: total }, (_, at) => make("i", at < step ? "done" : "")));
    bar.setAttribute("aria-hidden", "true");
    const figure = make("span", "", `${step}/${total}`);
    figure.setAttribute("aria-hidden", "true");
    return make("p", "chat-progress", figure, make("span", "visually-hidden", fill(words.progress, { step, total })), bar);
  }

  function time(at) {
    const when = new Date(at);
    const today = when.toDateString() === new Date().toDateString();
    const form = { hour: "2-digit", minute: "2-digit", ...(today ? {} : { day: "numeric", month: "short" }) };
    const element = make("time", "", new Intl.DateTimeFormat(language, form).format(when));
    element.dateTime = at;
    return element;
  }

  function actions(item) {
    const group = make("div", "chat-actions", ...item.actions.map((action) => (action.url ? link(action) : button(item, action))));
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", words.options);
    return group;
  }

  const dress = (style) => `button button-small ${{ primary: "", success: "", danger: "button-danger" }[style] ?? "button-quiet"}`;

  function link(action) {
    const element = make("a", dress(action.style), action.label, make("span", "visually-hidden", ` ${words.opens_tab}`));
    if (/^(https?:|mailto:|tel:)/.test(new URL(action.url, location).protocol)) element.href = action.url;
    element.target = "_blank";
    element.rel = "noopener noreferrer";
    return element;
  }

  function button(item, action) {
    const element = make("button", dress(action.style), action.label);
    element.type = "button";
    element.addEventListener("click", () => {
      if (!item.token || item !== current) return;
      element.dataset.chosen = "";
      // The button is about to be disabled, and with it the focus would be lost; a touch keyboard must not pop up for it.
      (matchMedia("(pointer: coarse)").matches ? view : answer).focus({ preventScroll: true });
      send({ kind: "press", token: item.token, action: action.id, message: item.id, label: action.label.slice(0, 128) }, action.label);
    });
    return element;
  }

  // What depends on the neighbours: groups of bubbles, refusals, which buttons work, what the input is for.
  function arrange() {
    const order = [...bubbles.values()].sort((a, b) => a.item.seq - b.item.seq);
    let before = null;
    let screen = null;
    let typed = null;
    let refused = null;
    current = null;
    for (const { item, element } of order) {
      const same = before?.item.from === item.from && before.item.name === item.name;
      element.classList.toggle("chat-more", same);
      before?.element.classList.toggle("chat-last", !same);
      before = { item, element };
      if (item.from === "user") typed = item.typed;
      if (!item.token) continue;
      // A typed answer that is followed by the same question with something to say was not taken; where only buttons answer, none was due.
      refused = Boolean(item.notice && item.hint && typed && screen?.step === item.step);
      const notice = element.querySelector(".chat-notice");
      if (notice && refused && !("refused" in notice.dataset)) {
        notice.dataset.refused = "";
        notice.prepend(icon("alert"));
      }
      notice?.toggleAttribute("id", false);
      screen = current = item;
      typed = null;
    }
    before?.element.classList.add("chat-last");
    const busy = queue.length > 0;
    for (const { item, element } of order)
      for (const each of element.querySelectorAll("button")) {
        each.disabled = item !== current || busy;
        each.classList.toggle("chat-chosen", "chosen" in each.dataset);
      }
    ask(current?.hint ?? "any");
    const notice = refused && screen && bubbles.get(screen.seq).element.querySelector(".chat-notice");
    if (notice) notice.id = "refusal";
    answer.setAttribute("aria-invalid", String(Boolean(notice)));
    answer.setAttribute("aria-describedby", notice ? "refusal" : "");
    typing.hidden = !busy;
  }

  // --- The composer

  const KEYBOARDS = { name: ["text", "name"], digits: ["numeric", "off"], phone: ["tel", "tel"], email: ["email", "email"], any: ["text", "off"] };
  function ask(hint) {
    [answer.inputMode, answer.autocomplete] = KEYBOARDS[hint];
    answer.autocapitalize = hint === "name" ? "words" : hint === "any" ? "sentences" : "none";
    answer.placeholder = words.placeholder[hint];
    byId("label").textContent = words.label[hint];
  }

  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = answer.value;
    if (!text.trim()) return;
    answer.value = "";
    send({ kind: "text", text }, text);
    answer.focus({ preventScroll: true });
  });

  // An input would glue pasted lines together.
  answer.addEventListener("paste", (event) => {
    const text = event.clipboardData.getData("text").trim();
    if (!/[\r\n]/.test(text)) return;
    event.preventDefault();
    answer.setRangeText(text.split(/\s*[\r\n]+\s*/).join(", "), answer.selectionStart, answer.selectionEnd, "end");
  });

  newest.addEventListener("click", () => {
    if (following) scrollTo(view.scrollHeight);
    else toNewest();
    view.focus({ preventScroll: true });
  });
  // --- Sending: one after the other, each under an id of its own, until the server has it. The same id is carried out once.

  function send(message, text) {
    const id = newId();
    const job = { message: { ...message, id }, item: { id, from: "user", text }, element: make("div") };
    queue.push(job);
    draw(job.element, job.item);
    log.append(job.element);
    arrange();
    toNewest();
    pump();
  }

  let pumping = false;
  async function pump() {
    if (pumping) return;
    pumping = true;
    for (let attempt = 0; queue.length; ) {
      const job = queue[0];
      let reply = { status: 0 };
      try {
        await session();
        reply = await call("messages", { ...job.message, since: cursor });
      } catch {
        // No connection: the reply stays "none" and is asked for again.
      }
      if (reply.status === 202) {
        attempt = 0;
        take(reply.body.items);
        queue.shift();
        if (!job.element.dataset.seq) job.element.remove();
        arrange();
        toNewest();
        continue;
      }
      if (reply.status === 401) opening = null;
      else if (reply.status >= 400 && reply.status < 500 && reply.status !== 429) {
        queue.shift();
        giveUp(job, reply.body?.error?.message);
        continue;
      }
      attempt += 1;
      if (!job.element.dataset.seq) draw(job.element, job.item, words.sending.retrying);
      await pause(attempt, reply.wait);
    }
    pumping = false;
  }

  function giveUp(job, why) {
    draw(job.element, job.item, why ?? words.sending.failed);
    job.element.classList.add("chat-failed");
    log.querySelectorAll("[data-chosen]").forEach((each) => delete each.dataset.chosen);
    if (job.message.text && !answer.value) answer.value = job.message.text;
    arrange();
    scrollTo(view.scrollHeight); // where the reason stands, however long the message is
  }

  async function call(path, body) {
    const response = await fetch(`/chat/api/${path}?lang=${language}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(20000),
    });
    const wait = Number(response.headers.get("Retry-After")) * 1000;
    return { status: response.status, wait, body: await response.json().catch(() => null) };
  }

  // Longer after each try, never in step with other browsers; at once when the connection or the reader comes back.
  function pause(attempt, least = 0) {
    const most = Math.max(least, Math.min(1000 * 2 ** (attempt - 1), 15000)) * (0.75 + Math.random() / 2);
    return new Promise((resolve) => {
      const back = () => {
        clearTimeout(timer);
        removeEventListener("online", back);
        document.removeEventListener("visibilitychange", back);
        resolve();
      };
      const timer = setTimeout(back, most);
      addEventListener("online", back);
      document.addEventListener("visibilitychange", back);
    });
  }

  // --- The session and the stream

  let opening = null;
  let opened = 0;
  const session = () => (opening ??= open().catch((fault) => ((opening = null), Promise.reject(fault))));

  async function open() {
    const reply = await call("session", {
      id: visit,
      client: "web",
      language,
      framed,
      payload: moving || (query.get("start") ?? ""),
      time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone ?? "",
    });
    if (reply.status !== 200) throw new Error("no session");
    moving = "";
    if (reply.body.resumed) return;
    opened += 1;
    // A browser that keeps no cookie in a frame gives a new session each time.
    if (opened > 2) blocked();
    for (const { element } of bubbles.values()) element.remove();
    bubbles.clear();
    cursor = 0;
  }

  function blocked() {
    const way = make("a", "", words.sending.blocked_link);
    way.href = `/chat?lang=${language}`;
    way.target = "_blank";
    log.replaceChildren(make("p", "note note-warn", make("span", "", `${words.sending.blocked} `, way)));
    show("offline");
    throw new Error("no cookies");
  }

  function show(name) {
    const known = name !== "online" && !navigator.onLine ? "offline" : name;
    if (state.parentElement.dataset.state === known) return;
    state.parentElement.dataset.state = known;
    state.textContent = words.state[known];
  }

  async function listen() {
    for (let attempt = 1; opened < 3; attempt += 1) {
      try {
        await session();
        if (await stream()) attempt = 0;
      } catch {
        // The next round tries again.
      }
      opening = null;
      show("reconnecting");
      await pause(attempt || 1);
    }
  }

  // Resolves when the browser has given the stream up; true if it had worked. Lost connections it restores by itself, by Last-Event-ID.
  function stream() {
    return new Promise((resolve) => {
      let worked = false;
      const source = new EventSource(`/chat/api/events?since=${cursor}`);
      const stuck = setTimeout(() => {
        removeEventListener("online", over);
        source.close();
        poll().then(resolve, () => resolve(false));
      }, 10000);
      const over = () => {
        removeEventListener("online", over);
        source.close();
        clearTimeout(stuck);
        resolve(worked);
      };
      // Whether a stream has survived that the browser was offline, nobody can tell.
      addEventListener("online", over);
      source.onmessage = (event) => take([JSON.parse(event.data)]);
      source.addEventListener("ready", () => {
        clearTimeout(stuck);
        worked = true;
        ready();
      });
      source.onerror = () => {
        show("reconnecting");
        if (source.readyState === EventSource.CLOSED) over();
      };
    });
  }

  // Where something on the way holds streams back: plain questions that the server answers when there is news.
  async function poll() {
    for (;;) {
      const response = await fetch(`/chat/api/items?since=${cursor}&wait=20`, { signal: AbortSignal.timeout(40000) });
      if (!response.ok) return true;
      take((await response.json()).items);
      ready();
    }
  }

  function ready() {
    show("online");
    if (live()) return;
    toNewest();
    log.setAttribute("aria-live", "polite"); // not before: the history is no news
  }

  addEventListener("offline", () => show("reconnecting"));

  // --- The frame around, and the other language

  const close = () => parent.postMessage("akses-chat:close", query.get("origin") ?? location.origin);
  if (framed) {
    byId("close").addEventListener("click", close);
    addEventListener("keydown", (event) => event.key === "Escape" && close());
    addEventListener("message", (event) => event.source === parent && event.data === "akses-chat:focus" && answer.focus());
  }
  byId("language").addEventListener("click", async (event) => {
    event.preventDefault();
    const other = event.currentTarget.hreflang;
    send({ kind: "command", command: "bahasa", argument: other }, words.other_language);
    while (queue.length) await new Promise((resolve) => setTimeout(resolve, 50));
    query.set("lang", other);
    location.replace(`?${query}`);
  });

  state.parentElement.hidden = byId("composer").hidden = false; // hidden in the page: without a script they would lead nowhere
  if (!framed && matchMedia("(pointer: fine)").matches) answer.focus({ preventScroll: true });
  listen();
})();
