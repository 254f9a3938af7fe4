// Dark or light theme: the person's choice, else the system's. Runs before the first paint.

(() => {
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
})();
