// The colours are those of the system unless the page was told others. This runs before
// anything is drawn.
"use strict";
(function () {
  let chosen = null;
  try { chosen = localStorage.getItem("pare-theme"); } catch { /* it is not kept */ }
  if (chosen === "light" || chosen === "dark") { document.documentElement.dataset.theme = chosen; }
})();
