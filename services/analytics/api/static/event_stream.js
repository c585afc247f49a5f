// Server-sent events over fetch, because EventSource cannot send a token. It connects again by itself, with the id of the last event.

const SILENT_MS = 6000; // The service says something every second.

/**
 * Follow a stream until `signal` aborts. `heard(kind, data)` gets each event; `changed(state, why)` gets "open", "cut" and "refused",
 * after which nothing is tried again. `last` has the id of the last event, also for the next stream.
 */
export async function follow(url, { token, last, signal, heard, changed }) {
  let wait = 1000;
  while (!signal.aborted) {
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    signal.addEventListener("abort", stop);
    let why = "the connection ended";
    try {
      const headers = { Authorization: `Bearer ${token}`, Accept: "text/event-stream" };
      if (last.id) headers["Last-Event-ID"] = last.id;
      const timer = setTimeout(stop, SILENT_MS);
      const answer = await fetch(url, { headers, signal: attempt.signal, cache: "no-store" }).finally(() => clearTimeout(timer));
      if (answer.status === 401 || answer.status === 403) {
        changed("refused", (await answer.json()).detail);
        return;
      }
      if (!answer.ok) throw new Error(`the service answered ${answer.status}`);
      changed("open");
      wait = 1000;
      for await (const event of events(answer.body, stop)) {
        if (event.id) last.id = event.id;
        heard(event.kind, JSON.parse(event.data));
      }
    } catch (error) {
      why = attempt.signal.aborted ? "nothing was heard for 6 s" : error.message;
    } finally {
      signal.removeEventListener("abort", stop);
      attempt.abort();
    }
    if (signal.aborted) return;
    changed("cut", why);
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(10000, wait * 1.5);
  }
}

async function* events(body, silent) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let event = { kind: "message", data: [] };
  while (true) {
    const timer = setTimeout(silent, SILENT_MS);
    const { done, value } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    text += value;
    const lines = text.split("\n");
    text = lines.pop();
    for (const line of lines) {
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const content = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (line === "") {
        if (event.data.length) yield { kind: event.kind, id: event.id, data: event.data.join("\n") };
        event = { kind: "message", data: [] };
      } else if (field === "event") event.kind = content;
      else if (field === "id") event.id = content;
      else if (field === "data") event.data.push(content);
    }
  }
}
