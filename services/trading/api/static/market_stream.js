// The WebSocket of the market. It connects again by itself, and gets a snapshot then.

const SILENT_MS = 6000; // The service says something every second.
const BAD_TOKEN = 4401;

/**
 * Follow the market until `signal` aborts. `heard(message)` gets each message; `changed(state, why)` gets "cut" and "refused", after
 * which nothing is tried again. `symbol()` is asked for at each connection. Returns a function that asks for another symbol.
 */
export function follow(url, { token, symbol, signal, heard, changed }) {
  let socket = null;
  let wait = 1000;
  let timer = 0;

  const quiet = (mine) => {
    clearTimeout(timer);
    timer = setTimeout(() => lost(mine, "nothing was heard for 6 s"), SILENT_MS);
  };

  const lost = (mine, why) => {
    if (mine !== socket) return; // Another one has taken its place.
    clearTimeout(timer);
    socket = null;
    mine.close();
    if (signal.aborted) return;
    changed("cut", why);
    setTimeout(() => signal.aborted || connect(), wait);
    wait = Math.min(10000, wait * 1.5);
  };

  function connect() {
    const mine = (socket = new WebSocket(url));
    quiet(mine);
    mine.onopen = () => mine.send(JSON.stringify({ token, symbol: symbol() }));
    mine.onmessage = ({ data }) => {
      if (mine !== socket) return;
      quiet(mine);
      wait = 1000;
      const message = JSON.parse(data);
      if (heard(message) === false) lost(mine, "an increment is missing");
    };
    mine.onclose = ({ code, reason }) => {
      if (mine === socket && code === BAD_TOKEN) {
        clearTimeout(timer);
        socket = null;
        changed("refused", reason);
      } else lost(mine, reason || (code === 1006 ? "the connection broke" : `closed with ${code}`));
    };
  }

  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    socket?.close();
    socket = null;
  });
  connect();
  return (name) => socket?.readyState === WebSocket.OPEN && socket.send(JSON.stringify({ symbol: name }));
}
