"use strict";
// Airflow shows this page in a frame. Its theme is a class of its own document, or its choice in the browser's storage.
(function () {
  function theme() {
    try {
      const root = window.parent.document.documentElement;
      if (window.parent !== window) {
        if (root.classList.contains("dark")) return "dark";
        if (root.classList.contains("light")) return "light";
      }
      const chosen = window.localStorage.getItem("theme");
      if (chosen === "dark" || chosen === "light") return chosen;
    } catch { /* another origin, or no storage: the system's theme */ }
    return null;
  }
  function apply() {
    const chosen = theme();
    if (chosen) document.documentElement.dataset.theme = chosen;
    else delete document.documentElement.dataset.theme;
  }
  apply();
  try {
    if (window.parent !== window) {
      new MutationObserver(apply).observe(window.parent.document.documentElement, { attributeFilter: ["class"] });
    }
  } catch { /* another origin */ }
  // The frame may not navigate Airflow's window, so a link into Airflow goes through its router.
  document.addEventListener("click", function (event) {
    const link = event.target.closest("a[data-airflow]");
    if (!link || window.parent === window || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    try {
      window.parent.history.pushState({}, "", link.href);
      window.parent.dispatchEvent(new PopStateEvent("popstate", { state: {} }));
      event.preventDefault();
    } catch { /* another origin: the browser follows the link */ }
  });
  // Airflow mirrors the frame's address in its own and may load it once more, by GET: an answer to a form would be lost.
  document.addEventListener("submit", function (event) {
    const form = event.target;
    if (form.method !== "post") return;
    event.preventDefault();
    form.querySelectorAll("button").forEach((button) => { button.disabled = true; });
    fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), credentials: "same-origin" })
      .then((answer) => answer.text())
      .then((text) => {
        const page = new DOMParser().parseFromString(text, "text/html");
        const main = document.adoptNode(page.querySelector("main"));
        document.querySelector("main").replaceWith(main);
        document.title = page.title;
        main.tabIndex = -1;
        main.focus({ preventScroll: true }); // for the keyboard and screen readers
        window.scrollTo(0, 0);
      })
      .catch(() => { document.querySelector("main").prepend("No answer from Airflow: open this page again."); });
  });
})();
