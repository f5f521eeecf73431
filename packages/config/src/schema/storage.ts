import { choice, duration, integer, secret, section, text } from '../leaf.ts';

const postgresUrl = (value: string) =>
  /^postgres(ql)?:\/\//.test(value) ? undefined : 'expected a postgres:// or postgresql:// URL';

export const storage = section({
  driver: choice(['embedded', 'postgres'], 'embedded', {
    sqlite: 'sqlite is not supported; use embedded, a PostgreSQL that serve starts by itself, or postgres',
  }).describe('`embedded`: a PostgreSQL started and stopped by `serve`, for one machine. `postgres`: your own.'),
  embedded: section({
    path: text('data/postgres').describe('Data directory of the embedded PostgreSQL.'),
  }),
  postgres: section({
    dsn: secret(postgresUrl).describe('Connection URL, PostgreSQL 15 or later. Required with `postgres`.'),
    max_conns: integer(25, { min: 1, max: 10_000 }).describe(
      'Most connections of one process; the token processes of `--workers` share them.',
    ),
    min_conns: integer(5, { max: 10_000 }).describe('Connections kept open while idle; at most `max_conns`.'),
    max_conn_lifetime: duration('1h').describe('Age at which a connection is replaced; 0 is never.'),
    max_conn_idle_time: duration('30m').describe('Idle time after which a connection above `min_conns` is closed.'),
  }),
});
