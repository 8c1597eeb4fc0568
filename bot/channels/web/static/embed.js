// Puts the chat on any page: <script src="https://HOST/chat/embed.js" async></script>; data-lang="en" for English.
// A button opens a frame with the chat in it. Nothing of the conversation is in the reach of the page around it.
"use strict";
(() => {
  const script = document.currentScript;
  const origin = new URL(script.src).origin;
  const language = script.dataset.lang === "en" ? "en" : "id";
  const words = "@WORDS@"[language];

  // Styles by property, inside a shadow root: the page's own styles and its security policy neither help nor hinder.
  const style = (element, rules) => Object.assign(element.style, rules);
  const host = document.createElement("div");
  const root = host.attachShadow({ mode: "open" });
  style(host, { position: "fixed", right: "0", bottom: "0", zIndex: "2147483000" });

  const button = document.createElement("button");
  button.type = "button";
  button.textContent = words.open;
  button.setAttribute("aria-expanded", "false");
  style(button, {
    position: "fixed", right: "max(16px, env(safe-area-inset-right))", bottom: "max(16px, env(safe-area-inset-bottom))",
    minHeight: "52px", padding: "0 24px", border: "0", borderRadius: "26px", background: "#0b5d52", color: "#fff", cursor: "pointer",
    font: "600 16px/1.2 system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif", boxShadow: "0 2px 6px rgb(0 0 0 / 20%), 0 8px 28px rgb(0 0 0 / 20%)",
  });
  button.addEventListener("focus", () => button.matches(":focus-visible") && style(button, { outline: "3px solid #1a5fd0", outlineOffset: "3px" }));
  button.addEventListener("blur", () => style(button, { outline: "" }));

  let frame = null;
  const narrow = matchMedia("(max-width: 30rem), (max-height: 30rem)");
  const place = () =>
    frame && style(frame, narrow.matches
      ? { inset: "0", width: "100%", height: "100%", borderRadius: "0" }
      : { inset: "auto 16px 16px auto", width: "min(400px, calc(100vw - 32px))", height: "min(680px, calc(100vh - 32px))", borderRadius: "18px" });
  narrow.addEventListener("change", place);

  const focusChat = () => {
    frame.focus();
    frame.contentWindow.postMessage("akses-chat:focus", origin);
  };

  function open() {
    if (!frame) {
      frame = document.createElement("iframe");
      frame.title = words.title;
      frame.src = `${origin}/chat?embed=1&lang=${language}&origin=${encodeURIComponent(location.origin)}`;
      style(frame, { position: "fixed", border: "0", background: "Canvas", boxShadow: "0 4px 12px rgb(0 0 0 / 18%), 0 16px 48px rgb(0 0 0 / 24%)" });
      frame.addEventListener("load", focusChat);
      root.append(frame);
      place();
    }
    frame.hidden = false;
    button.hidden = true;
    button.setAttribute("aria-expanded", "true");
    if (frame.contentWindow) focusChat();
  }

  function close() {
    if (!frame || frame.hidden) return;
    frame.hidden = true;
    button.hidden = false;
    button.setAttribute("aria-expanded", "false");
    button.focus();
  }

  button.addEventListener("click", open);
  addEventListener("keydown", (event) => event.key === "Escape" && close());
  addEventListener("message", (event) => {
    if (event.origin === origin && event.source === frame?.contentWindow && event.data === "akses-chat:close") close();
  });
  root.append(button);
  (document.body ?? document.documentElement).append(host);
})();
