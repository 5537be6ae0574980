import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

/** What a proxy does with bytes on their way: hands them on (changed or not), or cuts the connection (null). */
export type OnTheWay = (chunk: Buffer) => Buffer | null;

/** A network that can be made bad, between a client and a server of this host. Harmless until its hooks are set. */
export type TcpProxy = { port: number; up: OnTheWay; down: OnTheWay; stop: () => void };

/** Starts it in front of a port of this host. */
export async function startTcpProxy(target: number): Promise<TcpProxy> {
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    const cut = (): void => {
      client.destroy();
      upstream.destroy();
    };
    const pass = (from: typeof client, to: typeof client, hook: () => OnTheWay): void => {
      from.on('data', (chunk: Buffer) => {
        const passed = hook()(chunk);
        if (passed === null) cut();
        else if (!to.write(passed)) from.pause();
      });
      to.on('drain', () => from.resume());
      from.on('close', cut);
      from.on('error', cut);
    };
    pass(client, upstream, () => proxy.up);
    pass(upstream, client, () => proxy.down);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: TcpProxy = {
    port: (server.address() as AddressInfo).port,
    up: (chunk) => chunk,
    down: (chunk) => chunk,
    stop: () => server.close(),
  };
  return proxy;
}
