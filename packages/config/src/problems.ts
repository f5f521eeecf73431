/** One thing wrong with the configuration. The message never repeats a configured value: it could be a secret. */
export interface Problem {
  /** The setting as written in YAML (`server.issuer`), or the name of an environment variable. */
  key: string;
  message: string;
}

/** The configuration cannot be used. Carries every problem found, so that one start shows them all. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    const lines = problems.map(({ key, message }, index) => `\n  ${index + 1}. ${key}: ${message}`);
    super(`configuration has ${count}:${lines.join('')}`);
    this.problems = problems;
  }
}
