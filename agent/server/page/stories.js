// Stories: narrative memories of films and texts, each drawn in a sandboxed iframe.

import { request } from "/page/api.js";
import { byId, h, isDark } from "/page/dom.js";

const NOTHING = "No stories yet. Build one from a film with subtitles, a transcript or a story, in a terminal: attend memory build FILE";

export function showStories() {
  const [open, view, choice, frame, note] = ["stories-open", "stories", "story-choice", "story", "story-note"].map(byId);
  const main = document.querySelector("main");
  let chosen = ""; // the name of the source shown

  const show = (source) => {
    chosen = source;
    const built = Boolean(source);
    for (const id of ["story-alone", "story-save", "story"]) byId(id).hidden = !built;
    if (!built) {
      frame.removeAttribute("src");
      return;
    }
    const address = `/stories/page?${new URLSearchParams({ source })}`;
    byId("story-alone").href = byId("story-save").href = address;
    byId("story-save").download = `${choice.selectedOptions[0].dataset.title}.story.html`;
    frame.src = `${address}#theme=${isDark() ? "dark" : "light"}`;
  };

  const list = async () => {
    note.textContent = "";
    try {
      const stories = await request("GET", "/stories");
      const options = stories.map(({ source, title, events, chains }) =>
        h("option", { value: source, "data-title": title }, `${title} (${events} events, ${chains} chains)`));
      choice.replaceChildren(...options);
      choice.disabled = !stories.length;
      if (!stories.length) note.textContent = NOTHING;
      if (stories.some(({ source }) => source === chosen)) choice.value = chosen;
      show(choice.value);
    } catch (error) {
      note.textContent = error.message;
    }
  };

  const toggle = (shown) => {
    view.hidden = !shown;
    main.hidden = shown;
    open.setAttribute("aria-pressed", String(shown));
    if (shown) list();
    else frame.removeAttribute("src");
  };

  const dress = () => chosen && !view.hidden && show(chosen);
  open.addEventListener("click", () => toggle(view.hidden));
  choice.addEventListener("change", () => show(choice.value));
  new MutationObserver(dress).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);
}
