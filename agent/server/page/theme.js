// Dark or light: what the person chose here, else what the system says. Runs before the page is drawn.

(() => {
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
})();
