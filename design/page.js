// Shows and hides what is typed into a password field. Without it the field stays hidden, and the button is not there.
function bind(button) {
  const input = document.getElementById(button.getAttribute("aria-controls"));
  const set = (shown) => {
    input.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
    button.setAttribute("aria-label", shown ? button.dataset.hide : button.dataset.show);
    button.querySelector("[data-when=hidden]").hidden = shown;
    button.querySelector("[data-when=shown]").hidden = !shown;
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    set(input.type === "password");
    input.focus();
  });
  // A browser keeps a password field's text out of its form history only while it is one.
  input.form?.addEventListener("submit", () => set(false));
}

const bindAll = (part) => part.querySelectorAll("button[data-show][aria-controls]").forEach(bind);
bindAll(document);
// A part of the page that came later (telegram.js).
document.addEventListener("fragment", (event) => bindAll(event.target));
