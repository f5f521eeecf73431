import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cleanEnvironment } from '../support/server-process.ts';
import type { PostgresClass } from './network/postgres-startup.ts';
import type { TcpProxy } from './network/proxy.ts';
import { type Ended, type ManagedProcess, startProcess } from './process.ts';

export type Role = 'token' | 'admin';

/** The ways of one pod to the services, each of which can be cut. */
export type PodNetwork = {
  postgres: TcpProxy<PostgresClass>;
  redis: TcpProxy | undefined;
  nats: TcpProxy | undefined;
  vault: TcpProxy | undefined;
};

export type PodOptions = {
  name: string;
  role: Role;
  directory: string;
  /** Port of what it serves: the public endpoints, or the admin API. */
  port: number;
  internalPort: number;
  network: PodNetwork;
  /** Settings by their environment name without `AUTHPLANE_`, asked for anew at every start. */
  settings: () => Record<string, string>;
  /** What runs it: the arguments of Node. Asked for anew at every start. */
  program: () => readonly string[];
};

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;

/** One process of one plane, as it would run on a machine of its own. */
export class Pod {
  readonly name: string;
  readonly role: Role;
  readonly port: number;
  readonly network: PodNetwork;
  readonly #options: PodOptions;
  #process: ManagedProcess | undefined;
  /** Milliseconds its clock is ahead. */
  clockOffsetMs = 0;

  constructor(options: PodOptions) {
    this.name = options.name;
    this.role = options.role;
    this.port = options.port;
    this.network = options.network;
    this.#options = options;
  }

  get url(): string {
    return `http://localhost:${this.port}`;
  }

  get #clockFile(): string {
    return join(this.#options.directory, `${this.name}.clock`);
  }

  /** Starts the process without waiting for it. */
  launch(): void {
    const { name, role, directory, port, internalPort, settings, program } = this.#options;
    const all: Record<string, string> = {
      SERVER_ADDRESS: `127.0.0.1:${role === 'token' ? port : 1}`,
      SERVER_INTERNAL_ADDRESS: `127.0.0.1:${internalPort}`,
      ADMIN_ADDRESS: `127.0.0.1:${role === 'admin' ? port : 1}`,
      ...settings(),
    };
    const named = Object.fromEntries(Object.entries(all).map(([setting, value]) => [`AUTHPLANE_${setting}`, value]));
    this.#process = startProcess({
      command: process.execPath,
      args: ['--max-semi-space-size=8', ...program()],
      cwd: directory,
      logFile: join(directory, `${name}.log`),
      env: {
        ...cleanEnvironment(named),
        NODE_OPTIONS: `--import=${new URL('shifted-clock.js', import.meta.url).href}`,
        CLUSTER_CLOCK_FILE: this.#clockFile,
      },
    });
  }

  async start(): Promise<void> {
    this.launch();
    await this.ready();
  }

  /** Waits until it says that it is ready. */
  async ready(timeoutMs = READY_TIMEOUT_MS): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!(await this.isReady())) {
      if (!this.running()) throw new Error(`${this.name} ended while it started, see its log`);
      if (Date.now() > deadline) throw new Error(`${this.name} was not ready in ${timeoutMs} ms, see its log`);
      await sleep(50);
    }
  }

  async isReady(): Promise<boolean> {
    const answer = await fetch(`${this.url}/ready`, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined);
    await answer?.arrayBuffer().catch(() => undefined);
    return answer?.status === 200;
  }

  running(): boolean {
    return this.#process?.running() ?? false;
  }

  /** Where Prometheus scrapes it. */
  get metricsAddress(): string {
    return `localhost:${this.role === 'token' ? this.#options.internalPort : this.port}`;
  }

  /** What Prometheus would see; empty when it cannot be had. */
  async metrics(): Promise<string> {
    const answer = await fetch(`http://${this.metricsAddress}/metrics`, { signal: AbortSignal.timeout(2_000) }).catch(
      () => {},
    );
    return (await answer?.text()) ?? '';
  }

  async setClock(offsetMs: number): Promise<void> {
    this.clockOffsetMs = offsetMs;
    await writeFile(this.#clockFile, String(offsetMs));
  }

  freeze(): void {
    this.#process?.signal('SIGSTOP');
  }

  thaw(): void {
    this.#process?.signal('SIGCONT');
  }

  /** Asks for new workers in the place of those it has. */
  renew(): void {
    this.#process?.tell('SIGUSR2');
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  /** SIGTERM, and its end. @throws when it does not come */
  async terminate(): Promise<Ended | undefined> {
    const running = this.#process;
    if (!running) return undefined;
    const late = new AbortController();
    const ended = await Promise.race([
      running.terminate(),
      sleep(STOP_TIMEOUT_MS, undefined, { signal: late.signal }).catch(() => undefined),
    ]);
    late.abort();
    if (ended === undefined && running.running()) {
      await running.kill();
      throw new Error(`${this.name} did not stop in ${STOP_TIMEOUT_MS} ms`);
    }
    return ended ?? undefined;
  }
}
