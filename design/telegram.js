// The page inside Telegram: says who opened it, shows what the server answers, and wears the colours of the person's Telegram.
// It speaks the documented events itself (https://core.telegram.org/api/web-events, https://core.telegram.org/api/bots/webapps), because
// Telegram's own script is another host's. What Telegram gave and the token that came of it are in this module's memory and nowhere else.

const root = document.documentElement;
const main = document.getElementById("isi");
const framed = window.parent !== window;

// ---------------------------------------------------------------------------------------------------- what Telegram is told and says

/** Phones and desktops have a function for it, web clients frame the page; the server names whose frames these can be. */
function post(type, data = {}) {
  if (window.TelegramWebviewProxy) window.TelegramWebviewProxy.postEvent(type, JSON.stringify(data));
  else if (typeof window.external?.notify === "function") window.external.notify(JSON.stringify({ eventType: type, eventData: data }));
  else if (framed) window.parent.postMessage(JSON.stringify({ eventType: type, eventData: data }), "*");
}

function receive(type, data) {
  if (type === "theme_changed") wear(data?.theme_params);
  else if (type === "back_button_pressed") goBack();
  else if (type === "reload_iframe") {
    post("iframe_will_reload");
    location.reload();
  }
}

window.Telegram = { WebView: { receiveEvent: receive } };
window.TelegramGameProxy = { receiveEvent: receive };
window.TelegramGameProxy_receiveEvent = receive;
window.addEventListener("message", (event) => {
  if (!framed || event.source !== window.parent) return;
  try {
    const { eventType, eventData } = JSON.parse(event.data);
    receive(eventType, eventData);
  } catch {
    // Not a message of this kind.
  }
});

// ---------------------------------------------------------------------------------------------------- what is shown

let visit = "";
let asking = false;
let again = null;

const screen = () => main.querySelector("[data-screen]");

function show(part) {
  main.replaceChildren(part);
  main.dispatchEvent(new CustomEvent("fragment", { bubbles: true }));
  const shown = screen();
  post("web_app_setup_back_button", { is_visible: Boolean(shown.dataset.back) });
  post("web_app_setup_closing_behavior", { need_confirmation: "precious" in shown.dataset });
  window.scrollTo(0, 0);
  (shown.querySelector("[role=alert]") ?? shown.querySelector("h1"))?.focus({ preventScroll: true });
}

const showTemplate = (id) => show(document.getElementById(`telegram-${id}`).content.cloneNode(true));

/** The request, with nothing that a browser keeps: neither cookie nor cache. */
function request(method, address, fields) {
  const headers = { "Accept-Language": root.lang, ...(visit && { Authorization: `Bearer ${visit}` }) };
  return fetch(address, { method, headers, body: fields, credentials: "omit", cache: "no-store", redirect: "error" });
}

/** Shows what the server answers in place of what is there; without an answer, that stays as it is, with a word on what happened. */
async function ask(method, address, fields) {
  if (asking) return;
  asking = true;
  main.setAttribute("aria-busy", "true");
  try {
    const answer = await request(method, address, fields);
    const part = document.createElement("template");
    part.innerHTML = await answer.text();
    if (!part.content.querySelector("[data-screen]")) throw new Error("not an answer of this page");
    show(part.content);
  } catch {
    offline(() => ask(method, address, fields));
  } finally {
    asking = false;
    main.removeAttribute("aria-busy");
  }
}

function offline(repeat) {
  again = repeat;
  main.querySelectorAll("[data-offline]").forEach((note) => note.remove());
  const note = document.getElementById("telegram-offline").content.cloneNode(true);
  if (!screen().querySelector("form")) note.querySelector("[data-offline] > :last-child").append(document.getElementById("telegram-again").content.cloneNode(true));
  (screen().querySelector("form") ?? screen()).prepend(note);
  main.querySelector("[data-offline]").focus();
}

function goBack() {
  const back = screen()?.dataset.back;
  if (back) ask("GET", back);
}

async function open(data) {
  try {
    const answer = await request("POST", main.dataset.opens, new URLSearchParams({ data }));
    if (answer.status === 401) {
      showTemplate("ended");
      return;
    }
    visit = (await answer.json()).visit;
  } catch {
    offline(() => open(data));
    return;
  }
  await ask("GET", main.dataset.begins);
}

document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return; // the meter has something to say first
  event.preventDefault();
  ask("POST", event.target.getAttribute("action"), new URLSearchParams(new FormData(event.target)));
});

document.addEventListener("click", (event) => {
  const pressed = event.target.closest("[data-get], [data-close], [data-again], a[href]");
  if (!pressed) return;
  if ("get" in pressed.dataset) ask("GET", pressed.dataset.get);
  else if ("close" in pressed.dataset) post("web_app_close");
  else if ("again" in pressed.dataset) again?.();
  else if (window.TelegramWebviewProxy || framed) {
    event.preventDefault();
    post("web_app_open_link", { url: pressed.href });
  }
});

// Whoever comes back from reading the mail sees how things stand now.
document.addEventListener("visibilitychange", () => {
  if (visit && !document.hidden && screen()?.dataset.screen === "list") ask("GET", main.dataset.begins);
});

// ---------------------------------------------------------------------------------------------------- the colours

const BLACK = [0, 0, 0];
const WHITE = [255, 255, 255];
const TEXT = 4.5;
const BORDER = 3;
const darkRules = [...document.styleSheets]
  .flatMap((sheet) => [...sheet.cssRules])
  .filter((rule) => rule instanceof CSSMediaRule && rule.conditionText.includes("prefers-color-scheme: dark"));

const colour = (written) => (/^#[0-9a-f]{6}$/i.test(written ?? "") ? [1, 3, 5].map((at) => parseInt(written.slice(at, at + 2), 16)) : null);
const mix = (from, to, share) => from.map((part, at) => Math.round(part + (to[at] - part) * share));

function luminance(rgb) {
  const [r, g, b] = rgb.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one, other) {
  const [dim, bright] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (bright + 0.05) / (dim + 0.05);
}

/** The colour, moved away from its backgrounds until it can be read on all of them: themes are anybody's. */
function readable(rgb, backgrounds, least = TEXT) {
  const away = contrast(backgrounds[0], WHITE) > contrast(backgrounds[0], BLACK) ? WHITE : BLACK;
  for (let share = 0; share < 1; share += 0.05) {
    const tried = mix(rgb, away, share);
    if (backgrounds.every((background) => contrast(tried, background) >= least)) return tried;
  }
  return away;
}

/** Writes the theme over the design tokens; where it names no colours, they stay. */
function wear(theme) {
  const named = (...names) => names.map((name) => colour(theme?.[name])).find(Boolean);
  const [paper, text] = [named("bg_color"), named("text_color")];
  if (!paper || !text) return;
  const raised = named("section_bg_color") ?? paper;
  const surface = named("secondary_bg_color") ?? paper;
  const under = [raised, surface];
  const dark = contrast(raised, WHITE) > contrast(raised, BLACK);
  // The tokens that Telegram has no colour for are those of the scheme that it shows, whichever the system's is.
  root.style.colorScheme = dark ? "dark" : "light";
  for (const rule of darkRules) rule.media.mediaText = dark ? "all" : "not all";
  const ink = readable(text, under);
  const accent = readable(named("button_color", "link_color") ?? ink, under);
  const soft = mix(raised, accent, 0.14);
  const worn = {
    surface,
    raised,
    sunken: mix(surface, ink, 0.05),
    ink,
    "ink-muted": readable(named("subtitle_text_color", "hint_color") ?? ink, under),
    line: mix(raised, ink, 0.12),
    "line-strong": readable(mix(raised, ink, 0.4), under, BORDER),
    accent,
    "accent-hover": mix(accent, ink, 0.15),
    "on-accent": readable(named("button_text_color") ?? surface, [accent]),
    "accent-soft": soft,
    "on-accent-soft": readable(accent, [soft]),
  };
  for (const [token, rgb] of Object.entries(worn)) root.style.setProperty(`--${token}`, `rgb(${rgb.join(" ")})`);
  post("web_app_set_background_color", { color: theme.secondary_bg_color ?? theme.bg_color });
  post("web_app_set_header_color", { color_key: "secondary_bg_color" });
}

// ---------------------------------------------------------------------------------------------------- the beginning

const launch = new URLSearchParams(location.hash.slice(1));
// What stands in the address is seen by whoever looks at it; it has been read.
history.replaceState(null, "", location.pathname + location.search);
if (framed) post("iframe_ready", { reload_supported: true });
post("web_app_ready");
post("web_app_expand");
try {
  wear(JSON.parse(launch.get("tgWebAppThemeParams")));
} catch {
  // It stays as it is.
}
post("web_app_request_theme");
const data = launch.get("tgWebAppData");
if (data) open(data);
else if (window.TelegramWebviewProxy || framed) showTemplate("ended");
else showTemplate("outside");
