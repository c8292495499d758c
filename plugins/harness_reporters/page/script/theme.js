// Light or dark: as the system has it, unless somebody says otherwise.
const THEMES = ["auto", "light", "dark"];

function themeButton() {
  const button = h("button", { type: "button", id: "theme", class: "quiet", click: () => set(THEMES[(THEMES.indexOf(chosen()) + 1) % 3]) });
  // A file may have no storage: then the choice lasts as long as the page.
  let fallback = "auto";
  function chosen() {
    try { return localStorage.getItem("harness-theme") ?? fallback; } catch { return fallback; }
  }
  function set(theme) {
    fallback = theme;
    try { localStorage.setItem("harness-theme", theme); } catch { /* as above */ }
    show();
  }
  function show() {
    document.documentElement.dataset.theme = chosen();
    button.textContent = `Theme: ${chosen()}`;
  }
  show();
  return button;
}
