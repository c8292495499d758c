// A page that came from `harness view` asks its server whether there is something new, and keeps its place.
const EVERY_MS = 2000;

function live() {
  let version = document.body.dataset.live;
  if (!version) return;
  const status = document.getElementById("status");
  const token = new URLSearchParams(location.search).get("token") ?? "";

  async function get(path) {
    const answer = await fetch(`/${path}?${new URLSearchParams({ token })}`, { cache: "no-store" });
    if (!answer.ok) throw new Error(`${answer.status}`);
    return answer;
  }

  // Blocks hold no <, so the page's text can be cut without parsing it.
  function take(text) {
    version = text.match(/<body data-live="([^"]*)"/)[1];
    const found = [...text.matchAll(/\x3cscript type="application\/(json|gzip)" id="([^"]+)">([^<]*)<\/script>/g)];
    const newBoard = JSON.parse(found.find(([, kind]) => kind === "json")[3]);
    replaceData(newBoard, new Map(found.filter(([, kind]) => kind === "gzip").map(([, , id, content]) => [id, content])));
  }

  async function look() {
    try {
      const state = await (await get("state")).json();
      if (state.version !== version) {
        take(await (await get("")).text());
        await refresh();
      }
      status.textContent = state.running.length ? `Running: ${state.running.join("; ")}` : "Live: nothing is running.";
      status.className = state.running.length ? "running" : "";
    } catch (error) {
      status.textContent = `The server doesn't answer (${error.message}); this is what it said last.`;
      status.className = "gone";
    }
    setTimeout(look, EVERY_MS);
  }
  look();
}
