// Loads a page again that is still being written, until the reader stops it.
const banner = document.querySelector("[data-reload]");
const timer = setInterval(() => location.reload(), 1000 * banner.dataset.reload);
const stop = document.createElement("button");
stop.type = "button";
stop.textContent = "Stop reloading";
stop.addEventListener("click", () => {
  clearInterval(timer);
  const said = document.createElement("span");
  said.textContent = "Stopped: reload the page to see how far the study has come.";
  said.tabIndex = -1;
  stop.replaceWith(said);
  said.focus();
});
banner.append(" ", stop);
