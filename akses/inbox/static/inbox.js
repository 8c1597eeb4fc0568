// Shows new mail without a reload: asks the JSON whether something changed, and then takes the list from the page itself, so that the
// list is drawn in one place only. Without this script the page reloads by itself.
"use strict";

(() => {
  const mails = document.getElementById("mails");
  const status = document.querySelector("[data-news]");
  let etag = mails.dataset.etag;
  document.querySelector("[data-live]").hidden = false;

  async function look() {
    const answer = await fetch("/inbox/api/messages", { headers: { "If-None-Match": etag } });
    if (answer.status !== 200) return;
    const page = await fetch(location.href);
    if (!page.ok) return;
    const fresh = new DOMParser().parseFromString(await page.text(), "text/html").getElementById("mails");
    const focused = document.activeElement && mails.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    mails.replaceChildren(...fresh.childNodes);
    if (focused) mails.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
    etag = fresh.dataset.etag;
    status.textContent = "";
    requestAnimationFrame(() => {
      status.textContent = status.dataset.news;
    });
  }

  async function keepLooking() {
    if (!document.hidden) await look().catch(() => {});
    setTimeout(keepLooking, 2000);
  }
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) look().catch(() => {});
  });
  setTimeout(keepLooking, 2000);
})();
