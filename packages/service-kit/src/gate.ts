import { connect, createServer, type Server, type Socket } from "node:net";

/** A way to a real store that a test can freeze or cut, while the tests beside it keep theirs. */
export interface Gate {
  /** The store's URL, through the gate. */
  readonly url: string;
  /** Takes connections and passes nothing on, in either direction: to a client that is a server under SIGSTOP. */
  freeze(): void;
  /** Passes on what has come meanwhile. */
  thaw(): void;
  /** Breaks off the connections that are there. */
  cut(): void;
  close(): Promise<void>;
}

/** Opens a gate to the store of a URL. */
export async function openGate(target: string): Promise<Gate> {
  const url = new URL(target);
  const store = { host: url.hostname, port: Number(url.port) };
  const sockets = new Set<Socket>();
  let frozen = false;
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ ...store, allowHalfOpen: true });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("data", (data) => to.write(data));
      from.on("end", () => to.end());
      from.on("error", () => to.destroy());
      from.on("close", () => sockets.delete(from));
      if (frozen) from.pause();
    }
  });
  url.port = String(await listening(server));
  return {
    url: url.href,
    freeze() {
      frozen = true;
      for (const socket of sockets) socket.pause();
    },
    thaw() {
      frozen = false;
      for (const socket of sockets) socket.resume();
    },
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
  });
}
